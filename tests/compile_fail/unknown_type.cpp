// says: this type is not a tensor; .* write tensortap_view\(const T&\) in its namespace
#include <array>
#include <tensortap/tensor/as_view.hpp>

namespace mine {

struct Matrix {
  std::array<float, 4> elements{};
};

#if !FAIL
tensortap::TensorView tensortap_view(const Matrix& matrix) {
  return {matrix.elements.data(), tensortap::DType::f32, std::array<std::int64_t, 2>{2, 2}};
}
#endif

}  // namespace mine

const mine::Matrix matrix;

auto view() { return tensortap::as_view(matrix); }
