// Losses, and what a network has learned.
#pragma once

#include <cstdint>
#include <vector>

#include "array.hpp"
#include "spec.hpp"

namespace zoo {

struct Batch {
  Array inputs;
  std::vector<std::int64_t> labels;  ///< classification
  std::vector<float> targets;        ///< regression
};

struct LossResult {
  float value = 0;
  Array gradient;  ///< of the outputs
};

/// Returns the mean loss of a batch and its gradient.
LossResult loss_of(Loss loss, const Array& outputs, const Batch& batch);

/// Returns the name of PyTorch's class.
const char* class_name_of(Loss loss);

/// Returns the class that each row of `outputs` predicts.
std::vector<std::int64_t> classes_of(Loss loss, const Array& outputs);

/// Returns the loss of the best constant answer.
double constant_loss(Loss loss, std::size_t classes, const std::vector<std::int64_t>& labels,
                     const std::vector<float>& targets);

}  // namespace zoo
