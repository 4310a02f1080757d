// The function after a layer.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include "relu.hpp"
#include "tensor.hpp"

namespace spot_training {

enum class Activation { relu, sigmoid, tanh };

inline std::string to_string(Activation activation) {
  return activation == Activation::relu ? "relu" : activation == Activation::sigmoid ? "sigmoid" : "tanh";
}

/// Numeric: the bits of sigmoid and tanh depend on the mathematical library.
template <std::size_t Rank>
Tensor<Rank> activate(Activation activation, const Tensor<Rank>& input) {
  if (activation == Activation::relu) return relu(input);
  Tensor<Rank> out(input.shape());
  float* to = out.data();
  for (const float x : input) *to++ = activation == Activation::tanh ? std::tanh(x) : 1 / (1 + std::exp(-x));
  return out;
}

/// Returns the gradient by the input, from the *output* of the activation: the input need not be kept.
template <std::size_t Rank>
Tensor<Rank> activation_gradient(Activation activation, const Tensor<Rank>& output,
                                 const Tensor<Rank>& output_gradient) {
  switch (activation) {
    case Activation::relu: return relu_gradient(output, output_gradient);
    case Activation::sigmoid: return output * (1.0f - output) * output_gradient;
    case Activation::tanh: return (1.0f - output * output) * output_gradient;
  }
  return {};
}

}  // namespace spot_training
