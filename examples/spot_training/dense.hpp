// The fully connected layer: output = input * weight + bias.
#pragma once

#include <algorithm>
#include <cstddef>

#include "gemm.hpp"
#include "tensor.hpp"

namespace spot_training {

/// Parameters of the layer. Their gradient is a Dense too.
struct Dense {
  Dense(std::size_t inputs, std::size_t outputs) : weight(zeros<2>({inputs, outputs})), bias(zeros<1>({outputs})) {}

  /// Shape: images x inputs -> images x outputs.
  Tensor<2> forward(const Tensor<2>& input) const {
    Tensor<2> output({input.shape(0), bias.size()});
    for (std::size_t image = 0; image < input.shape(0); ++image) std::copy(bias.begin(), bias.end(), &output(image, 0));
    add_product(matrix(output), matrix(input), matrix(weight));
    return output;
  }

  /// Adds to `gradient` the gradient of the loss by weight and bias.
  void backward(const Tensor<2>& input, const Tensor<2>& output_gradient, Dense& gradient) const {
    add_product(matrix(gradient.weight), matrix(input).transposed(), matrix(output_gradient));
    for (std::size_t image = 0; image < output_gradient.shape(0); ++image)
      for (std::size_t output = 0; output < bias.size(); ++output)
        gradient.bias(output) += output_gradient(image, output);
  }

  /// Returns the gradient of the loss by the input.
  Tensor<2> input_gradient(const Tensor<2>& output_gradient) const {
    Tensor<2> result = zeros<2>({output_gradient.shape(0), weight.shape(0)});
    add_product(matrix(result), matrix(output_gradient), matrix(weight).transposed());
    return result;
  }

  Tensor<2> weight;  ///< inputs x outputs
  Tensor<1> bias;    ///< outputs

 private:
  static Matrix<float> matrix(Tensor<2>& tensor) { return {tensor.data(), tensor.shape(0), tensor.shape(1)}; }
  static Matrix<const float> matrix(const Tensor<2>& tensor) {
    return {tensor.data(), tensor.shape(0), tensor.shape(1)};
  }
};

}  // namespace spot_training
