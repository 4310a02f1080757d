// One training from the first step to the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "batches.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "spec.hpp"
#include "tap.hpp"
#include "task.hpp"

namespace zoo {

/// What a network has learned, on the true labels of the evaluation.
struct Outcome {
  double loss = 0;
  double best_loss = 0;  ///< the least of the losses during the training
  double score = 0;      ///< the accuracy, or the explained share of the variance or of the mean error
};

/// Where an injected value is in the run.
struct Injected {
  std::int64_t step = 0;             ///< of all modes
  std::size_t mode_step = 0;         ///< of TRAIN
  std::vector<std::string> tensors;  ///< all tensors that hold the value itself; the first one is saved first
  std::size_t index = 0;             ///< of the element, row by row
};

struct Result {
  Outcome outcome;
  std::optional<Injected> injected;
};

class Training {
 public:
  /// Lifetime: `spec` and `task` are borrowed.
  Training(const Spec& spec, const Task& task);

  /// Trains; `tap`, if not null, records it.
  Result run(Tap* tap);

 private:
  void pretrain();
  void train_step(std::size_t step, Tap* tap);
  LossResult loss(const Batch& batch, const Array& outputs) const;
  void evaluate(Tap& tap);
  void measure();
  void inject_into_weights(std::size_t step);
  void inject_into_inputs(std::size_t step, Batch& batch);
  void inject_into_gradients(std::size_t step);
  void inject(Array& array, std::vector<std::string> tensors);
  void take_sum();

  const Spec& spec_;
  const Task& task_;
  Loss loss_;
  Network network_;
  Batches batches_;
  Updates updates_;
  Result result_;
  std::vector<Array> sums_;  ///< of the gradients since the last update
  std::size_t passes_ = 0, evaluations_ = 0;
  bool measured_ = false;
};

}  // namespace zoo
