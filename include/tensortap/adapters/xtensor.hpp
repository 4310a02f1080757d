// A tensor as an array of xtensor: a copy, or an adaptor of its elements. The other direction needs no adapter:
// hook.save accepts xtensor's containers.
//
//   const auto weights = tensortap::to_xarray<float>(*trial.tensor("conv1.weight").value(500));
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>  // 0.26 and later
#include <xtensor/containers/xarray.hpp>
#else
#include <xtensor/xadapt.hpp>
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

/// Returns an xt::adapt of the elements, which changes them, with the same shape. Throws: the elements are not of type
/// T. Lifetime: as long as the tensor.
template <Element T>
[[nodiscard]] auto xarray_map(Tensor& tensor) {
  const auto elements = tensor.as<T>();
  return xt::adapt(elements.data(), elements.size(), xt::no_ownership(),
                   std::vector<std::size_t>(tensor.shape().begin(), tensor.shape().end()));
}

/// As above, of a constant tensor.
template <Element T>
[[nodiscard]] auto xarray_map(const Tensor& tensor) {
  const auto elements = tensor.as<T>();
  return xt::adapt(elements.data(), elements.size(), xt::no_ownership(),
                   std::vector<std::size_t>(tensor.shape().begin(), tensor.shape().end()));
}

template <Element T>
void xarray_map(Tensor&&) = delete;  // the adaptor would outlive the tensor

TENSORTAP_END_NAMESPACE
