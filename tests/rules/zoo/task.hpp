// The tasks that the networks learn: examples and their labels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "array.hpp"
#include "spec.hpp"

namespace zoo {

struct Examples {
  Array inputs;                      ///< examples x features
  std::vector<std::int64_t> labels;  ///< classification
  std::vector<float> targets;        ///< regression
  [[nodiscard]] std::size_t size() const { return inputs.rows(); }
};

struct Task {
  std::size_t classes = 0;  ///< 0: regression
  std::size_t side = 0;     ///< of an image, 0: no images
  std::size_t words = 0;    ///< of a vocabulary, 0: no text; inputs are then numbers of words
  Loss loss = Loss::cross_entropy;
  float attainable = 1;  ///< the accuracy, or the explained share of the variance, of a good network
  Examples train, evaluation;
};

/// Makes the examples of the task named `name`. Throws: std::invalid_argument if there is none.
Task make_task(const std::string& name, std::uint64_t seed);

/// Returns the names of all tasks. Those with images are left out if FashionMNIST is not installed.
std::vector<std::string> task_names();

/// Returns FashionMNIST's images and labels of `part` ("train" or "t10k"), `count` images of 14 x 14 pixels from
/// `first` on; no examples if it is not installed.
Examples fashion_images(const std::string& part, std::size_t first, std::size_t count);

}  // namespace zoo
