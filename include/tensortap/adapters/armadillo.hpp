// A tensor as a matrix, column or cube of Armadillo. The other direction needs no adapter: hook.save accepts
// Armadillo's objects.
//
// Armadillo stores columns one after the other, a tensor rows. So there are two kinds of functions: `to_arma` copies,
// and keeps the meaning of the axes: element (i, j) is element (i, j). `arma_map` does not copy, and reverses the axes:
// element (i, j) of the tensor is element (j, i) of the matrix.
//
//   const arma::fmat weight = tensortap::to_arma<float>(*trial.tensor("fc1.weight").value(500));
#pragma once

#include <armadillo>
#include <cstddef>

#include <tensortap/adapters/internal/value_shape.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns a matrix over the elements, with reversed axes: [rows, columns] becomes columns x rows, [n] a column. It
/// changes the tensor, and keeps its size. Throws: the elements are not of type T; the rank is above 2.
/// Lifetime: as long as the tensor; a copy of the matrix has elements of its own.
template <Element T>
[[nodiscard]] arma::Mat<T> arma_map(Tensor& tensor) {
  detail::require_rank("arma_map", tensor, 0, 2, "use arma_cube_map for rank 3, arma_column_map for any rank");
  const std::size_t rows = detail::extent_of(tensor, 0);
  const std::size_t columns = detail::extent_of(tensor, 1);
  const bool is_column = tensor.rank() < 2;
  return arma::Mat<T>(tensor.as<T>().data(), is_column ? rows : columns, is_column ? 1 : rows, false, true);
}

/// Returns all elements, in row-major order, as one column, without a copy; the tensor may have any rank. Otherwise as
/// above.
template <Element T>
[[nodiscard]] arma::Col<T> arma_column_map(Tensor& tensor) {
  return arma::Col<T>(tensor.as<T>().data(), tensor.size(), false, true);
}

/// Returns a cube over the elements of a tensor of rank 3, with reversed axes: element (i, j, k) of the tensor is
/// element (k, j, i) of the cube. Otherwise as above.
template <Element T>
[[nodiscard]] arma::Cube<T> arma_cube_map(Tensor& tensor) {
  detail::require_rank("arma_cube_map", tensor, 3, 3, "use arma_map for lower ranks, arma_column_map for any rank");
  return arma::Cube<T>(tensor.as<T>().data(), detail::extent_of(tensor, 2), detail::extent_of(tensor, 1),
                       detail::extent_of(tensor, 0), false, true);
}

template <Element T>
void arma_map(const Tensor&&) = delete;  // the matrix would outlive the tensor
template <Element T>
void arma_column_map(const Tensor&&) = delete;
template <Element T>
void arma_cube_map(const Tensor&&) = delete;

/// Returns a copy of the elements: [rows, columns] is a matrix of that size, [n] a column. Throws: the elements are not
/// of type T; the rank is above 2.
template <Element T>
[[nodiscard]] arma::Mat<T> to_arma(const Tensor& tensor) {
  detail::require_rank("to_arma", tensor, 0, 2, "use to_arma_cube for rank 3");
  arma::Mat<T> out(detail::extent_of(tensor, 0), detail::extent_of(tensor, 1));
  auto element = tensor.as<T>().begin();
  for (std::size_t row = 0; row < out.n_rows; ++row)
    for (std::size_t column = 0; column < out.n_cols; ++column) out(row, column) = *element++;
  return out;
}

/// Returns a copy of the elements of a tensor of rank 3: element (i, j, k) is element (i, j, k). Throws: as above.
template <Element T>
[[nodiscard]] arma::Cube<T> to_arma_cube(const Tensor& tensor) {
  detail::require_rank("to_arma_cube", tensor, 3, 3, "use to_arma for lower ranks");
  arma::Cube<T> out(detail::extent_of(tensor, 0), detail::extent_of(tensor, 1), detail::extent_of(tensor, 2));
  auto element = tensor.as<T>().begin();
  for (std::size_t row = 0; row < out.n_rows; ++row)
    for (std::size_t column = 0; column < out.n_cols; ++column)
      for (std::size_t slice = 0; slice < out.n_slices; ++slice) out(row, column, slice) = *element++;
  return out;
}

TENSORTAP_END_NAMESPACE
