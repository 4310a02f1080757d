// Convolution without padding, stride 1, as a matrix product over the unrolled patches of an image (im2col).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "gemm.hpp"
#include "tensor.hpp"

namespace spot_training {

/// Parameters of the layer. Their gradient is a Convolution too.
struct Convolution {
  Convolution(std::size_t in_channels, std::size_t out_channels, std::size_t kernel)
      : weight(zeros<4>({out_channels, in_channels, kernel, kernel})), bias(zeros<1>({out_channels})) {}

  /// Shape: images x in_channels x height x width -> images x out_channels x height - kernel + 1 x width - kernel + 1.
  Tensor<4> forward(const Tensor<4>& input) const {
    Tensor<4> output({input.shape(0), channels(), input.shape(2) - kernel() + 1, input.shape(3) - kernel() + 1});
    const std::size_t pixels = output.shape(2) * output.shape(3);
    std::vector<float> patches(patch_size() * pixels);
    for (std::size_t image = 0; image < input.shape(0); ++image) {
      for (std::size_t channel = 0; channel < channels(); ++channel)
        std::fill_n(&output(image, channel, 0, 0), pixels, bias(channel));
      gather(input, image, patches);
      add_product({&output(image, 0, 0, 0), channels(), pixels}, weights(), {patches.data(), patch_size(), pixels});
    }
    return output;
  }

  /// Adds to `gradient` the gradient of the loss by weight and bias.
  void backward(const Tensor<4>& input, const Tensor<4>& output_gradient, Convolution& gradient) const {
    const std::size_t pixels = output_gradient.shape(2) * output_gradient.shape(3);
    std::vector<float> patches(patch_size() * pixels);
    for (std::size_t image = 0; image < input.shape(0); ++image) {
      const Matrix<const float> by_output(&output_gradient(image, 0, 0, 0), channels(), pixels);
      gather(input, image, patches);
      add_product({gradient.weight.data(), channels(), patch_size()}, by_output,
                  Matrix<const float>(patches.data(), patch_size(), pixels).transposed());
      for (std::size_t channel = 0; channel < channels(); ++channel)
        for (std::size_t pixel = 0; pixel < pixels; ++pixel) gradient.bias(channel) += by_output(channel, pixel);
    }
  }

  /// Returns the gradient of the loss by the input. It is not part of backward, because the first layer does not need
  /// it.
  Tensor<4> input_gradient(const Tensor<4>& output_gradient) const {
    const std::size_t height = output_gradient.shape(2), width = output_gradient.shape(3), pixels = height * width;
    Tensor<4> result =
        zeros<4>({output_gradient.shape(0), weight.shape(1), height + kernel() - 1, width + kernel() - 1});
    std::vector<float> patches(patch_size() * pixels);
    for (std::size_t image = 0; image < result.shape(0); ++image) {
      std::fill(patches.begin(), patches.end(), 0.0f);
      add_product({patches.data(), patch_size(), pixels}, weights().transposed(),
                  {&output_gradient(image, 0, 0, 0), channels(), pixels});
      scatter(patches, result, image);
    }
    return result;
  }

  Tensor<4> weight;  ///< out_channels x in_channels x kernel x kernel
  Tensor<1> bias;    ///< out_channels

 private:
  std::size_t channels() const { return weight.shape(0); }
  std::size_t kernel() const { return weight.shape(3); }
  std::size_t patch_size() const { return weight.size() / channels(); }
  Matrix<const float> weights() const { return {weight.data(), channels(), patch_size()}; }

  /// Calls `visit(first pixel, first element of the patches, length)` for each sequence of pixels that is contiguous in
  /// the patches: a matrix with a row for each (channel, y, x) of the kernel and a column for each pixel of the output.
  template <class Visit>
  void for_each_run(const Tensor<4>& images, const Visit& visit) const {
    const std::size_t height = images.shape(2), width = images.shape(3);
    const std::size_t out_height = height - kernel() + 1, out_width = width - kernel() + 1;
    std::size_t patch = 0;
    for (std::size_t channel = 0; channel < images.shape(1); ++channel)
      for (std::size_t y = 0; y < kernel(); ++y)
        for (std::size_t x = 0; x < kernel(); ++x)
          for (std::size_t out_y = 0; out_y < out_height; ++out_y, patch += out_width)
            visit((channel * height + y + out_y) * width + x, patch, out_width);
  }

  void gather(const Tensor<4>& images, std::size_t image, std::vector<float>& patches) const {
    const float* const from = &images(image, 0, 0, 0);
    for_each_run(images, [&](std::size_t pixel, std::size_t patch, std::size_t length) {
      std::copy_n(from + pixel, length, patches.data() + patch);
    });
  }

  /// The transpose of gather: adds to each pixel all elements it was copied to.
  void scatter(const std::vector<float>& patches, Tensor<4>& images, std::size_t image) const {
    float* const to = &images(image, 0, 0, 0);
    for_each_run(images, [&](std::size_t pixel, std::size_t patch, std::size_t length) {
      for (std::size_t i = 0; i < length; ++i) to[pixel + i] += patches[patch + i];
    });
  }
};

}  // namespace spot_training
