// The network: its parameters, and the forward and backward pass of a batch on several threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "activation.hpp"
#include "fashion_mnist.hpp"
#include "parameters.hpp"
#include "parts.hpp"
#include "pass.hpp"

namespace spot_training {

class Network {
 public:
  explicit Network(Random& random, std::size_t threads = std::thread::hardware_concurrency(),
                   Activation activation = Activation::relu)
      : threads_(threads), activation_(activation) {
    parameters.randomise(random);
  }

  /// Returns the scores of the network on a batch.
  /// Numeric: here and in backward, the same bits for any number of threads.
  Scores forward(const Batch& batch) {
    const std::size_t total = batch.labels.size();
    passes_.resize(std::min(total, part_count));
    labels_ = batch.labels;
    for_each_part(threads_, passes_.size(), [&](std::size_t part) {
      const std::size_t begin = total * part / passes_.size(), end = total * (part + 1) / passes_.size();
      passes_[part].activation = activation_;
      passes_[part].forward(parameters, xt::view(batch.images, xt::range(begin, end)),
                            std::span(batch.labels).subspan(begin, end - begin), total);
    });
    Scores sum;
    for (const Pass& pass : passes_) {
      sum.loss += pass.scores.loss;
      sum.accuracy += pass.scores.accuracy;
    }
    return sum;
  }

  /// Sets `gradient` to that of the loss of the last forward.
  void backward() {
    for_each_part(threads_, passes_.size(), [&](std::size_t part) { passes_[part].backward(parameters); });
    gradient = Parameters();
    const auto sums = gradient.numbers();
    for (Pass& pass : passes_) {
      const auto terms = pass.gradient.numbers();
      for (std::size_t i = 0; i < sums.size(); ++i)
        std::transform(sums[i].begin(), sums[i].end(), terms[i].begin(), sums[i].begin(), std::plus<>());
    }
  }

  /// Calls `visit(name, tensor)` for the output of each activation in the last forward.
  template <class Visit>
  void for_each_activation(const Visit& visit) const {
    const std::string name = "." + to_string(activation_) + "_output";
    visit("conv1" + name, joined(&Pass::conv1));
    visit("conv2" + name, joined(&Pass::conv2));
    visit("dense1" + name, joined(&Pass::dense1));
    visit("dense2" + name, joined(&Pass::dense2));
  }

  /// Returns the labels of the last forward, and the scores of each class. Shape: images; images x classes.
  const std::vector<std::uint8_t>& labels() const { return labels_; }
  Tensor<2> predictions() const { return joined(&Pass::logits); }

  Parameters parameters;
  Parameters gradient;

 private:
  /// Joins the activations of all parts to those of the batch.
  template <std::size_t Rank>
  Tensor<Rank> joined(Tensor<Rank> Pass::*activation) const {
    std::array<std::size_t, Rank> shape = (passes_.front().*activation).shape();
    shape[0] = 0;
    for (const Pass& pass : passes_) shape[0] += (pass.*activation).shape(0);
    Tensor<Rank> result(shape);
    float* to = result.data();
    for (const Pass& pass : passes_) to = std::copy((pass.*activation).begin(), (pass.*activation).end(), to);
    return result;
  }

  std::size_t threads_;
  Activation activation_;
  std::vector<std::uint8_t> labels_;
  std::vector<Pass> passes_;
};

}  // namespace spot_training
