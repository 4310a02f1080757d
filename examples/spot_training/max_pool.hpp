// The largest of each 2 x 2 pixels; an odd last row or column is dropped.
#pragma once

#include <algorithm>
#include <cstddef>

#include "tensor.hpp"

namespace spot_training {

/// Shape: images x channels x height x width -> images x channels x height / 2 x width / 2.
inline Tensor<4> max_pool(const Tensor<4>& input) {
  Tensor<4> output({input.shape(0), input.shape(1), input.shape(2) / 2, input.shape(3) / 2});
  float* to = output.data();
  for (std::size_t image = 0; image < output.shape(0); ++image)
    for (std::size_t channel = 0; channel < output.shape(1); ++channel)
      for (std::size_t y = 0; y < output.shape(2); ++y) {
        const float* const above = &input(image, channel, 2 * y, 0);
        const float* const below = above + input.shape(3);
        for (std::size_t x = 0; x < output.shape(3); ++x)
          *to++ = std::max(std::max(above[2 * x], above[2 * x + 1]), std::max(below[2 * x], below[2 * x + 1]));
      }
  return output;
}

/// Passes each output's gradient to the pixel it came from; of equal pixels, to the first one.
inline Tensor<4> max_pool_gradient(const Tensor<4>& input, const Tensor<4>& output_gradient) {
  Tensor<4> result = zeros<4>(input.shape());
  const float* from = output_gradient.data();
  const std::size_t width = input.shape(3);
  for (std::size_t image = 0; image < output_gradient.shape(0); ++image)
    for (std::size_t channel = 0; channel < output_gradient.shape(1); ++channel)
      for (std::size_t y = 0; y < output_gradient.shape(2); ++y) {
        const float* const above = &input(image, channel, 2 * y, 0);
        float* const to = &result(image, channel, 2 * y, 0);
        for (std::size_t x = 0; x < output_gradient.shape(3); ++x) {
          std::size_t largest = 2 * x;
          for (const std::size_t other : {2 * x + 1, width + 2 * x, width + 2 * x + 1})
            if (above[other] > above[largest]) largest = other;
          to[largest] = *from++;
        }
      }
  return result;
}

}  // namespace spot_training
