// What a run saves, under the names of smdebug's PyTorch hook.
#pragma once

#include <memory>
#include <string>

#include <tensortap/capture/hook.hpp>

#include "loss.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "spec.hpp"

namespace zoo {

class Tap {
 public:
  /// Begins the run in the directory `run`.
  Tap(const std::string& run, const Spec& spec);

  void begin_step(tensortap::Mode mode) { hook_.begin_step(mode); }

  /// Saves all parameters; smdebug does that before the forward pass.
  void parameters(const Network& network);

  /// Saves the inputs and outputs of the layers, the loss and, if the run has them, labels and predictions.
  void pass(const Network& network, const Batch& batch, Loss loss, float value);

  /// Saves the gradients, from the last layer to the first.
  void gradients(const Network& network, const Updates& updates, std::size_t step);

  [[nodiscard]] std::int64_t global_step() const { return hook_.global_step(); }

  void close() { hook_.close(); }

 private:
  void answers(const std::string& labels, const Batch& batch);

  Spec spec_;
  std::shared_ptr<double> time_;
  tensortap::Hook hook_;
};

}  // namespace zoo
