// A tensor seen as a matrix or a vector of Eigen, without a copy. The other direction needs no adapter: hook.save
// accepts Eigen's matrices, arrays, maps and blocks.
//
//   const tensortap::Tensor tensor = *trial.tensor("fc1.weight").value(500);
//   const float norm = tensortap::eigen_map<float>(tensor).norm();
#pragma once

#include <Eigen/Core>

#include <tensortap/adapters/internal/value_shape.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A matrix in row-major order, as the elements of a tensor are.
template <Element T>
using RowMajorMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <Element T>
using EigenVector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// Returns a map of the elements, which changes them: [rows, columns] is a matrix, [n] a column, rank 0 one element.
/// Throws: the elements are not of type T; the rank is above 2. Lifetime: as long as the tensor.
template <Element T>
[[nodiscard]] Eigen::Map<RowMajorMatrix<T>> eigen_map(Tensor& tensor) {
  detail::require_rank("eigen_map", tensor, 0, 2, "use eigen_vector_map, and reshape its elements");
  return {tensor.as<T>().data(), static_cast<Eigen::Index>(detail::extent_of(tensor, 0)),
          static_cast<Eigen::Index>(detail::extent_of(tensor, 1))};
}

/// As above, of a constant tensor.
template <Element T>
[[nodiscard]] Eigen::Map<const RowMajorMatrix<T>> eigen_map(const Tensor& tensor) {
  detail::require_rank("eigen_map", tensor, 0, 2, "use eigen_vector_map, and reshape its elements");
  return {tensor.as<T>().data(), static_cast<Eigen::Index>(detail::extent_of(tensor, 0)),
          static_cast<Eigen::Index>(detail::extent_of(tensor, 1))};
}

template <Element T>
void eigen_map(Tensor&&) = delete;  // the map would outlive the tensor

/// Returns a map of all elements, in row-major order, as one column; the tensor may have any rank. Throws: the elements
/// are not of type T. Lifetime: as long as the tensor.
template <Element T>
[[nodiscard]] Eigen::Map<EigenVector<T>> eigen_vector_map(Tensor& tensor) {
  return {tensor.as<T>().data(), static_cast<Eigen::Index>(tensor.size())};
}

/// As above, of a constant tensor.
template <Element T>
[[nodiscard]] Eigen::Map<const EigenVector<T>> eigen_vector_map(const Tensor& tensor) {
  return {tensor.as<T>().data(), static_cast<Eigen::Index>(tensor.size())};
}

template <Element T>
void eigen_vector_map(Tensor&&) = delete;  // the map would outlive the tensor

TENSORTAP_END_NAMESPACE
