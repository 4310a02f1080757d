// Saves a tensor type that the library does not know.
//
// One function beside the type is enough: tensortap_view returns where the elements lie, their type and their shape.
// The compiler finds it by argument-dependent lookup. No element is copied to make a view.
#include <cstdint>
#include <iostream>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;

namespace mine {

/// A matrix that stores its columns one after the other.
struct Matrix {
  std::int64_t rows, columns;
  std::vector<double> elements;
};

tt::TensorView tensortap_view(const Matrix& m) {
  const std::vector<std::int64_t> shape = {m.rows, m.columns};
  const std::vector<std::int64_t> strides = {1, m.rows};  // in elements
  return {m.elements.data(), tt::DType::f64, shape, strides};
}

}  // namespace mine

int main() {
  const mine::Matrix matrix{.rows = 2, .columns = 3, .elements = {1, 4, 2, 5, 3, 6}};
  tt::Hook hook("runs/own_tensor", {.save = tt::every(1)});
  hook.begin_step();
  hook.save("matrix", matrix);
  hook.close();

  const auto read = tt::Trial("runs/own_tensor").tensor("matrix").value(0);
  std::cout << "saved in row-major order:";
  for (std::size_t i = 0; i < read->size(); ++i) std::cout << ' ' << read->number(i);
  std::cout << "\nthe sum of squares is " << tt::statistics(matrix).sum_squares << '\n';
}
