// One layer of a network: forward, backward, its parameters.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "array.hpp"
#include "random.hpp"
#include "spec.hpp"

namespace zoo {

struct Parameter {
  std::string name;  ///< in its layer: "weight" or "bias"
  Array value, gradient;
  std::size_t fan_in = 1, fan_out = 1;
};

class Layer {
 public:
  virtual ~Layer() = default;

  /// Sets `output`.
  virtual void forward(const Array& input, bool training, Random& random) = 0;

  /// Adds to the gradients of the parameters, and sets `input_gradient`. `input` is that of the last `forward`.
  virtual void backward(const Array& input, const Array& output_gradient) = 0;

  std::string kind;  ///< "fc", "relu", "conv" …
  std::string name;  ///< in the network; empty: the layer is a function without a name
  std::vector<Parameter> parameters;
  Array output, input_gradient;
};

/// Makes x · weightᵀ + bias.
std::unique_ptr<Layer> make_dense(std::size_t inputs, std::size_t outputs);

/// Makes a convolution of 3 x 3 pixels that keeps the size of images.
std::unique_ptr<Layer> make_convolution(std::size_t inputs, std::size_t outputs);

/// Makes the mean of the vectors of the words.
std::unique_ptr<Layer> make_embedding(std::size_t words, std::size_t width);

std::unique_ptr<Layer> make_activation(Activation activation);
std::unique_ptr<Layer> make_max_pool();
std::unique_ptr<Layer> make_flatten();
std::unique_ptr<Layer> make_dropout(float share);
std::unique_ptr<Layer> make_softmax();

}  // namespace zoo
