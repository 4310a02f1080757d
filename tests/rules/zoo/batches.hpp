// The data of a training as its loop receives them, with all mistakes on their way.
#pragma once

#include <cstddef>
#include <vector>

#include "loss.hpp"
#include "random.hpp"
#include "spec.hpp"
#include "task.hpp"

namespace zoo {

class Batches {
 public:
  Batches(const Spec& spec, const Task& task);

  /// Returns the next training batch, for `step`.
  Batch next(std::size_t step);

  /// Returns a batch that the run evaluates and records.
  [[nodiscard]] Batch evaluation(std::size_t number) const;

  /// Returns all examples of the evaluation with their true labels, in the form that the network takes.
  [[nodiscard]] Batch outcome() const;

 private:
  void damage_labels();
  [[nodiscard]] Batch batch_of(const Examples& examples, const std::vector<std::size_t>& positions) const;
  void damage_inputs(Batch& batch, std::size_t step);

  Spec spec_;
  Task task_;
  Examples truth_;  ///< the evaluation, without mistakes
  Random order_random_, damage_random_;
  std::vector<std::size_t> kept_, order_;
  Batch previous_;
};

}  // namespace zoo
