// The forward and backward pass of some images of a batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "activation.hpp"
#include "max_pool.hpp"
#include "parameters.hpp"
#include "softmax_cross_entropy.hpp"

namespace spot_training {

/// Keeps the output of each activation for backward and for the hook.
class Pass {
 public:
  Activation activation = Activation::relu;
  Tensor<4> images, conv1, conv2;
  Tensor<2> dense1, dense2, logits;
  Scores scores;        ///< the share of these images in the scores of the batch
  Parameters gradient;  ///< and in the gradient of its loss

  /// Shape: images x 1 x 28 x 28; one label per image; `total` is the size of the batch.
  void forward(const Parameters& layers, Tensor<4> part, std::span<const std::uint8_t> labels, std::size_t total) {
    images = std::move(part);
    conv1 = activate(activation, layers.conv1.forward(images));  // 6 x 24 x 24
    pool1_ = max_pool(conv1);                                    // 6 x 12 x 12
    conv2 = activate(activation, layers.conv2.forward(pool1_));  // 16 x 10 x 10
    pool2_ = max_pool(conv2);                                    // 16 x 5 x 5
    features_ = reshaped<2>(pool2_, {images.shape(0), 16 * 5 * 5});
    dense1 = activate(activation, layers.dense1.forward(features_));
    dense2 = activate(activation, layers.dense2.forward(dense1));
    scores = {};
    logits = layers.dense3.forward(dense2);
    by_logits_ = softmax_cross_entropy(logits, labels, total, scores);
  }

  /// Computes the gradient of the loss of the last forward by all parameters.
  void backward(const Parameters& layers) {
    gradient = Parameters();
    layers.dense3.backward(dense2, by_logits_, gradient.dense3);
    const Tensor<2> by_dense2 = activation_gradient(activation, dense2, layers.dense3.input_gradient(by_logits_));
    layers.dense2.backward(dense1, by_dense2, gradient.dense2);
    const Tensor<2> by_dense1 = activation_gradient(activation, dense1, layers.dense2.input_gradient(by_dense2));
    layers.dense1.backward(features_, by_dense1, gradient.dense1);
    const Tensor<4> by_pool2 = reshaped<4>(layers.dense1.input_gradient(by_dense1), pool2_.shape());
    const Tensor<4> by_conv2 = activation_gradient(activation, conv2, max_pool_gradient(conv2, by_pool2));
    layers.conv2.backward(pool1_, by_conv2, gradient.conv2);
    const Tensor<4> by_pool1 = layers.conv2.input_gradient(by_conv2);
    const Tensor<4> by_conv1 = activation_gradient(activation, conv1, max_pool_gradient(conv1, by_pool1));
    layers.conv1.backward(images, by_conv1, gradient.conv1);
  }

 private:
  Tensor<4> pool1_, pool2_;
  Tensor<2> features_, by_logits_;
};

}  // namespace spot_training
