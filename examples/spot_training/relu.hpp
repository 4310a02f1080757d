// The rectifier: negative numbers become zero.
#pragma once

#include <cstddef>

#include "tensor.hpp"

namespace spot_training {

template <std::size_t Rank>
Tensor<Rank> relu(const Tensor<Rank>& input) {
  return xt::maximum(input, 0.0f);
}

/// Returns the gradient by the input, from the *output* of relu: the input need not be kept.
template <std::size_t Rank>
Tensor<Rank> relu_gradient(const Tensor<Rank>& output, const Tensor<Rank>& output_gradient) {
  return xt::where(output > 0.0f, output_gradient, 0.0f);
}

}  // namespace spot_training
