// says: a matrix whose layout is unknown
#include <tensortap/tensor/as_view.hpp>
#include <vector>

namespace mine {

/// A range of its elements and a matrix: nothing says whether it is row-major.
struct Matrix : std::vector<float> {
  int rows = 3;
  int columns = 2;
};

#if !FAIL
tensortap::TensorView tensortap_view(const Matrix& matrix) {
  return {matrix.data(), tensortap::DType::f32, std::array<std::int64_t, 2>{matrix.rows, matrix.columns}};
}
#endif

}  // namespace mine

const mine::Matrix matrix;

auto view() { return tensortap::as_view(matrix); }
