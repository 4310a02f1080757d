// Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 x 28 grey pixels, ten classes.
// Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017, https://github.com/zalandoresearch/fashion-mnist.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "idx.hpp"
#include "tensor.hpp"

namespace spot_training {

struct Batch {
  Tensor<4> images;  ///< images x 1 x 28 x 28
  std::vector<std::uint8_t> labels;
};

class FashionMnist {
 public:
  /// Reads the files of `part`: "train" or "t10k".
  /// Throws: std::runtime_error if the files are missing, damaged, or do not fit together.
  FashionMnist(const std::filesystem::path& folder, const std::string& part) {
    const std::filesystem::path images = folder / (part + "-images-idx3-ubyte.gz");
    const std::filesystem::path labels = folder / (part + "-labels-idx1-ubyte.gz");
    images_ = read_idx<3>(images);
    labels_ = read_idx<1>(labels);
    if (images_.shape(1) != 28 || images_.shape(2) != 28)
      fail_to_read(
          images,
          "wrong size of image (" + std::to_string(images_.shape(1)) + " x " + std::to_string(images_.shape(2)) + ")",
          "28 x 28 pixels are needed");
    if (images_.shape(0) != labels_.shape(0))
      fail_to_read(labels,
                   "does not fit its images (" + std::to_string(labels_.size()) + " labels, " +
                       std::to_string(images_.shape(0)) + " images)",
                   "fetch both again");
    if (const unsigned largest = *std::max_element(labels_.begin(), labels_.end()); largest > 9)
      fail_to_read(labels, "label out of range (" + std::to_string(largest) + ")", "0 to 9 are known");
  }

  std::size_t size() const { return labels_.size(); }

  /// Returns the labels of the first `limit` images, or of all if there are fewer.
  std::vector<std::size_t> positions(std::size_t limit) const {
    std::vector<std::size_t> result(std::min(limit, size()));
    std::iota(result.begin(), result.end(), std::size_t{0});
    return result;
  }

  /// Returns the images at these positions, normalised for the network.
  Batch batch(std::span<const std::size_t> positions) const {
    // Mean and standard deviation of the pixels of the training images.
    constexpr float mean = 0.2860f * 255, deviation = 0.3530f * 255;
    Batch result{Tensor<4>({positions.size(), 1, 28, 28}), {}};
    float* to = result.images.data();
    for (const std::size_t position : positions) {
      const std::uint8_t* const from = &images_(position, 0, 0);
      to = std::transform(from, from + 28 * 28, to,
                          [](std::uint8_t pixel) { return (static_cast<float>(pixel) - mean) / deviation; });
      result.labels.push_back(labels_(position));
    }
    return result;
  }

  std::uint8_t label(std::size_t position) const { return labels_(position); }

 private:
  xt::xtensor<std::uint8_t, 3> images_;
  xt::xtensor<std::uint8_t, 1> labels_;
};

}  // namespace spot_training
