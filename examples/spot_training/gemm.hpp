// Matrix product, the one hot loop of the network: four rows by eight columns of the result stay in registers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace spot_training {

/// A borrowed matrix with any strides, so that a transpose costs nothing.
template <class Element>
struct Matrix {
  Matrix(Element* first, std::size_t row_count, std::size_t column_count)
      : data(first), rows(row_count), columns(column_count), row_stride(column_count) {}

  Element& operator()(std::size_t row, std::size_t column) const {
    return data[row * row_stride + column * column_stride];
  }

  Matrix transposed() const {
    Matrix result(data, columns, rows);
    result.row_stride = column_stride;
    result.column_stride = row_stride;
    return result;
  }

  Element* data;
  std::size_t rows, columns;
  std::size_t row_stride, column_stride = 1;
};

namespace tile {

// Four lanes are a register of SSE2 and of NEON, which every x86-64 and AArch64 CPU has. With plain arrays, g++ 12 -O3
// vectorises another loop and is four times slower (9 against 37 GFLOP/s).
using Lanes = float __attribute__((vector_size(16)));
inline constexpr std::size_t lane_count = 4, rows = 4, columns = 2 * lane_count;

inline Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

/// Adds to c(row .. row + Rows, column .. column + 8) the product of rows of `a` and a panel of eight columns of `b`.
/// Numeric: each element is summed in the order of the depth, in every tile.
template <std::size_t Rows>
void add(const Matrix<float>& c, std::size_t row, std::size_t column, const Matrix<const float>& a, const float* panel,
         std::size_t panel_stride) {
  Lanes sum[Rows][2] = {};
  for (std::size_t k = 0; k < a.columns; ++k) {
    const Lanes left = load(panel + k * panel_stride), right = load(panel + k * panel_stride + lane_count);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
      const float factor = a(row + r, k);
      sum[r][0] += factor * left;
      sum[r][1] += factor * right;
    }
  }
  const std::size_t width = std::min(columns, c.columns - column);
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t j = 0; j < width; ++j) c(row + r, column + j) += sum[r][j / lane_count][j % lane_count];
}

}  // namespace tile

/// c += a * b.
/// Shape: c is a.rows x b.columns, a.columns == b.rows.
/// Numeric: float32, each element summed in the order of the depth.
inline void add_product(const Matrix<float>& c, const Matrix<const float>& a, const Matrix<const float>& b) {
  std::vector<float> copy;
  for (std::size_t column = 0; column < b.columns; column += tile::columns) {
    const float* panel = b.data + column * b.column_stride;
    std::size_t panel_stride = b.row_stride;
    const std::size_t width = std::min(tile::columns, b.columns - column);
    // A panel whose rows are contiguous is read in place; a transposed or narrow one is copied, with zeros around it.
    if (width < tile::columns || b.column_stride != 1) {
      copy.assign(b.rows * tile::columns, 0.0f);
      for (std::size_t k = 0; k < b.rows; ++k)
        for (std::size_t j = 0; j < width; ++j) copy[k * tile::columns + j] = b(k, column + j);
      panel = copy.data();
      panel_stride = tile::columns;
    }
    std::size_t row = 0;
    for (; row + tile::rows <= c.rows; row += tile::rows) tile::add<tile::rows>(c, row, column, a, panel, panel_stride);
    for (; row + 2 <= c.rows; row += 2) tile::add<2>(c, row, column, a, panel, panel_stride);
    for (; row < c.rows; ++row) tile::add<1>(c, row, column, a, panel, panel_stride);
  }
}

}  // namespace spot_training
