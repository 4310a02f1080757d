// The tensors of the network, reshaping to another rank, and random weights.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#if __has_include(<xtensor/containers/xtensor.hpp>)  // moved in xtensor 0.26
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include "random.hpp"

namespace spot_training {

/// Float32, row-major. The first dimension of a batch counts its images.
template <std::size_t Rank>
using Tensor = xt::xtensor<float, Rank>;

template <std::size_t Rank>
Tensor<Rank> zeros(const std::array<std::size_t, Rank>& shape) {
  return xt::zeros<float>(shape);
}

/// Returns a copy in another shape of the same size.
template <std::size_t Rank, std::size_t From>
Tensor<Rank> reshaped(const Tensor<From>& tensor, const std::array<std::size_t, Rank>& shape) {
  Tensor<Rank> result(shape);
  std::copy(tensor.begin(), tensor.end(), result.begin());
  return result;
}

/// Returns the bound of random weights with which a ReLU of sums of `fan_in` terms keeps the scale of the signal.
/// Numeric: for uniform weights; normal ones take a logarithm, whose bits differ between machines.
/// Source: "Delving Deep into Rectifiers", 2015, https://arxiv.org/abs/1502.01852.
inline float he_bound(std::size_t fan_in) { return std::sqrt(6.0f / static_cast<float>(fan_in)); }

template <std::size_t Rank>
void randomise(Tensor<Rank>& weight, float bound, Random& random) {
  for (float& value : weight) value = random.uniform(bound);
}

}  // namespace spot_training
