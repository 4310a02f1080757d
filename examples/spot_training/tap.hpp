// The calls of the training to tensortap, and the time they take.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "network.hpp"

namespace spot_training {

namespace tt = tensortap;

/// Returns what the rules need, beside what is saved: under other names, because it is saved more often.
inline std::vector<tt::Collection> judged_collections(const std::vector<tt::Rule>& rules) {
  std::vector<tt::Collection> collections = tt::required_by(rules);
  for (tt::Collection& collection : collections) {
    if (const auto builtin = tt::builtin_pattern(collection.name); builtin && !collection.include_regex.given())
      collection.include_regex = std::string(*builtin);
    if (collection.name == "relu_output") collection.include_regex = std::string("dense\\d\\.relu_output");  // smaller
    collection.name += "_for_rules";
  }
  return collections;
}

/// Returns what is saved: reductions often, elements rarely. A collection without a pattern has that of its name.
/// `statistics` adds all statistics of all gradients in each step.
inline std::vector<tt::Collection> tapped_collections(bool statistics = false) {
  using R = tt::Reduction;
  const tt::Reductions numbers = {R::min, R::max, R::mean, R::std, R::l2, R::abs_mean};
  std::vector<tt::Collection> collections = {
      {.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
      {.name = "metrics", .include_regex = "accuracy$", .save = tt::every(1)},
      {.name = "weights", .save = tt::every(100), .reductions = numbers},
      {.name = "biases", .save = tt::every(100), .reductions = numbers},
      {.name = "gradients", .save = tt::every(100), .reductions = numbers},
      {.name = "relu_output", .save = tt::every(100), .reductions = numbers},
      {.name = "weights_raw", .include_regex = "^(?!gradient).*weight", .save = tt::every(500)},
      {.name = "biases_raw", .include_regex = "^(?!gradient).*bias", .save = tt::every(500)},
      {.name = "gradients_raw", .include_regex = "^gradient", .save = tt::every(500)}};
  if (statistics)
    collections.push_back({.name = "gradients_statistics",
                           .include_regex = "^gradient",
                           .save = tt::every(1),
                           .reductions = {R::statistics}});
  return collections;
}

class Tap {
 public:
  /// Lifetime: `hook` is borrowed.
  explicit Tap(tt::Hook& hook) : hook_(hook) {
    for (const tt::CollectionReport& collection : hook.report().collections) collections_.insert(collection.name);
  }

  /// Begins a training step, or a pass over the test images.
  void begin(tt::Mode mode) {
    const Stopwatch stopwatch(step_seconds_);
    hook_.begin_step(mode);
  }

  /// Saves a training step. Call it after backward and before the update: the weights then belong to the gradients.
  void train_step(const Network& network, const Scores& scores, float learning_rate) {
    const Stopwatch stopwatch(step_seconds_);
    const auto phase = hook_.phase("Tap");
    save(scores);
    hook_.save("learning_rate", learning_rate);
    hook_.save("labels", network.labels());
    if (is_due("answers_for_rules")) hook_.save("predictions", network.predictions());
    network.parameters.for_each([&](const std::string& name, const auto& tensor) { hook_.save(name, tensor); });
    network.gradient.for_each(
        [&](const std::string& name, const auto& tensor) { hook_.save("gradient/" + name, tensor); });
    if (is_due("relu_output") || is_due("relu_output_for_rules") || is_due("saturating_activations_for_rules"))
      network.for_each_activation([&](const std::string& name, const auto& tensor) { hook_.save(name, tensor); });
  }

  /// Saves one pass over the test images.
  void evaluation(const Scores& scores) { save(scores); }

  /// Commits the run up to here with this checkpoint. Throws: it is not durable.
  void commit(const std::string& checkpoint) {
    const Stopwatch stopwatch(commit_seconds_);
    hook_.commit(checkpoint);
  }

  /// Ends the run. Throws: the first failed write.
  void close() {
    const Stopwatch stopwatch(commit_seconds_);
    hook_.close();
  }

  /// Return the time that the training spent in this class: for its steps, and for commits and the close.
  double step_seconds() const { return step_seconds_; }
  double commit_seconds() const { return commit_seconds_; }

 private:
  /// Adds the time of its lifetime to a sum.
  class Stopwatch {
   public:
    explicit Stopwatch(double& sum) : sum_(sum) {}
    ~Stopwatch() { sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

   private:
    double& sum_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

  /// Returns whether the collection is due; false if the hook does not have it.
  bool is_due(const std::string& collection) const {
    return collections_.contains(collection) && hook_.due(collection);
  }

  void save(const Scores& scores) {
    hook_.save("loss", scores.loss);
    hook_.save("accuracy", scores.accuracy);
  }

  tt::Hook& hook_;
  std::set<std::string> collections_;
  double step_seconds_ = 0, commit_seconds_ = 0;
};

}  // namespace spot_training
