// The loss of a classifier: minus the logarithm of the probability that softmax gives to the right class.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor.hpp"

namespace spot_training {

/// The performance of the network on some images.
struct Scores {
  double loss = 0;      ///< mean over the images, in nats
  double accuracy = 0;  ///< share of the images whose largest score belongs to their class
};

/// Adds the contribution of these images to the means over `total` images in `scores`; returns its gradient by
/// `logits`. Shape: logits is images x classes; labels has one class per image, each below classes. Numeric: subtracts
/// the maximum of the row, so that nothing overflows, and computes in float64: the rounding to float32 hides nearly all
/// differences between mathematical libraries.
inline Tensor<2> softmax_cross_entropy(const Tensor<2>& logits, std::span<const std::uint8_t> labels, std::size_t total,
                                       Scores& scores) {
  const std::size_t classes = logits.shape(1);
  const double share = 1 / static_cast<double>(total);
  Tensor<2> gradient(logits.shape());
  for (std::size_t image = 0; image < labels.size(); ++image) {
    const float* const row = &logits(image, 0);
    const float* const right = row + labels[image];
    const float* const largest = std::max_element(row, row + classes);
    double sum = 0;
    for (std::size_t i = 0; i < classes; ++i) sum += std::exp(static_cast<double>(row[i]) - *largest);
    for (std::size_t i = 0; i < classes; ++i) {
      const double probability = std::exp(static_cast<double>(row[i]) - *largest) / sum;
      gradient(image, i) = static_cast<float>(share * (probability - (row + i == right ? 1 : 0)));
    }
    scores.loss += share * (std::log(sum) - (static_cast<double>(*right) - *largest));
    scores.accuracy += largest == right ? share : 0;
  }
  return gradient;
}

}  // namespace spot_training
