// Copies a tensor into an xtensor array. The other direction needs no adapter: hook.save accepts xtensor's containers.
//
//   const auto weights = tensortap::to_xarray<float>(*trial.tensor("conv1.weight").value(500));
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>  // 0.26 and later
#else
#include <xtensor/xarray.hpp>
#endif

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns a copy of `tensor` as an array of the same shape. Throws: its elements are not of type T.
template <Element T>
[[nodiscard]] xt::xarray<T> to_xarray(const Tensor& tensor) {
  const auto elements = tensor.as<T>();
  auto out = xt::xarray<T>::from_shape(std::vector<std::size_t>(tensor.shape().begin(), tensor.shape().end()));
  std::copy(elements.begin(), elements.end(), out.data());
  return out;
}

TENSORTAP_END_NAMESPACE
