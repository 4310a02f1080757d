// A dense array of floats, and the three matrix products of a layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tensortap/tensor/view.hpp>

namespace zoo {

struct Array {
  std::vector<std::size_t> shape;
  std::vector<float> values;

  Array() = default;
  explicit Array(std::vector<std::size_t> extents) : shape(std::move(extents)) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    values.assign(size, 0.0f);
  }

  /// Gives the array another shape; its values are zero afterwards.
  void reset(const std::vector<std::size_t>& extents) { *this = Array(extents); }

  [[nodiscard]] std::size_t rows() const { return shape.empty() ? 1 : shape.front(); }
  [[nodiscard]] std::size_t row_size() const { return values.size() / rows(); }
  float* row(std::size_t i) { return values.data() + i * row_size(); }
  [[nodiscard]] const float* row(std::size_t i) const { return values.data() + i * row_size(); }
};

/// Makes the view that the hook takes.
inline tensortap::TensorView tensortap_view(const Array& array) {
  std::array<std::int64_t, tensortap::TensorView::max_rank> extents{};
  for (std::size_t axis = 0; axis < array.shape.size(); ++axis)
    extents[axis] = static_cast<std::int64_t>(array.shape[axis]);
  return {array.values.data(), tensortap::DType::f32, {extents.data(), array.shape.size()}};
}

/// Adds a · b to `c`; a is n x k, b is k x m.
inline void add_product(const float* a, const float* b, float* c, std::size_t n, std::size_t k, std::size_t m) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j) {
      const float factor = a[i * k + j];
      for (std::size_t l = 0; l < m; ++l) c[i * m + l] += factor * b[j * m + l];
    }
}

/// Adds aᵀ · b to `c`; a is n x k, b is n x m.
inline void add_product_of_transposed(const float* a, const float* b, float* c, std::size_t n, std::size_t k,
                                      std::size_t m) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j) {
      const float factor = a[i * k + j];
      for (std::size_t l = 0; l < m; ++l) c[j * m + l] += factor * b[i * m + l];
    }
}

/// Returns the transpose of the n x m matrix `a`.
inline std::vector<float> transposed(const float* a, std::size_t n, std::size_t m) {
  std::vector<float> result(n * m);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j) result[j * n + i] = a[i * m + j];
  return result;
}

}  // namespace zoo
