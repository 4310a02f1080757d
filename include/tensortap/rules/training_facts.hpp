// What the losses, labels and predictions of a run tell, step by step. Built-in rules share it, so that they agree on
// which tensor is the loss and on what a constant prediction would reach.
//
//   const auto& train = step.facts().loss(tensortap::Mode::train);
//   if (train.count > 60 && train.recent_mean(30) > 0.9 * step.facts().chance()->level) …
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

class JudgedStep;
struct KnownTensor;

/// The loss in one mode: of the first tensor with that role. NaN and infinities are counted, and enter nothing else.
struct LossSeries {
  static constexpr std::size_t most_recent = 128;

  std::string tensor = {};               ///< its name; empty: none was saved
  std::int64_t count = 0;                ///< finite values so far
  std::int64_t not_finite = 0;           ///< other values so far
  bool in_step = false;                  ///< whether the step at hand has one
  double now = 0;                        ///< the value in the step at hand, if it has one
  double first = 0;                      ///< the first finite value
  double best = 0;                       ///< the least finite value
  double smooth = 0;                     ///< the exponential average of about 20 values
  double best_smooth = 0;                ///< the least of these averages
  std::int64_t above_best = 0;           ///< how many values in a row had an average above twice the best
  std::int64_t last_mode_step = -1;      ///< the mode step of the last value
  std::vector<double> recent = {};       ///< the last values, at most 128: a ring
  std::vector<std::int64_t> steps = {};  ///< their mode steps: the same ring

  /// Returns the mean of the last `n` values, or of all if there are fewer. Empty: NaN.
  [[nodiscard]] double recent_mean(std::size_t n) const;
  /// Returns the value `back` values before the last one. `back` is less than `kept()`.
  [[nodiscard]] double before(std::size_t back) const;
  [[nodiscard]] std::int64_t step_before(std::size_t back) const;
  /// The number of values in `recent`.
  [[nodiscard]] std::size_t kept() const noexcept { return recent.size(); }

  void add(double value, std::int64_t mode_step);
  void exchange(RuleState& state);
};

/// What the labels are.
enum class Task : std::uint8_t { unknown, classification, regression };

/// The labels and predictions of the last finished block of at least 200 examples.
struct Block {
  std::int64_t number = 0;         ///< how many blocks are finished
  std::int64_t examples = 0;       ///< in the block
  double correct = 0;              ///< the share of examples whose prediction is the label
  double majority = 0;             ///< the share of the most frequent label
  double top_prediction = 0;       ///< the share of the most frequent prediction
  double label_variance = 0;       ///< of regression
  double prediction_variance = 0;  ///< of regression

  void exchange(RuleState& state);
};

/// Running counts of labels and predictions in one mode.
struct Examples {
  static constexpr std::size_t most_classes = 4096;
  static constexpr std::int64_t block_size = 200;

  Task task = Task::unknown;
  std::int64_t classes = 0;                  ///< outputs of the network, 0 if unknown
  std::int64_t count = 0;                    ///< examples so far
  std::vector<std::int64_t> labels = {};     ///< examples by label
  std::vector<std::int64_t> predicted = {};  ///< examples by prediction
  std::vector<std::int64_t> right = {};      ///< examples by label whose prediction was right
  double label_mean = 0;                     ///< of regression
  double label_deviations = 0;               ///< of regression: the sum of (label - mean)^2
  double label_abs_deviations = 0;           ///< of regression: the sum of |label - running mean|
  Block block = {};                          ///< the last finished block
  bool block_ends = false;                   ///< whether a block was finished in the step at hand

  /// The block in progress.
  struct Open {
    std::int64_t examples = 0, correct = 0;
    std::vector<std::int64_t> labels = {}, predicted = {};
    double label_sum = 0, label_squares = 0, prediction_sum = 0, prediction_squares = 0;
    void exchange(RuleState& state);
  };
  Open open = {};

  void exchange(RuleState& state);
};

/// The loss of the best constant prediction.
struct Chance {
  double level = 0;
  std::string_view source = {};  ///< how it is known, for messages
};

/// All of it. It is a few kilobytes, and a few more for each thousand classes.
struct TrainingFacts {
  std::array<LossSeries, 4> losses = {};  ///< by mode
  std::array<Examples, 4> examples = {};  ///< by mode
  std::int64_t outputs = 0;               ///< the size of the last layer, 0 if unknown

  [[nodiscard]] const LossSeries& loss(Mode mode) const noexcept { return losses[index_of(mode)]; }
  [[nodiscard]] const Examples& examples_of(Mode mode) const noexcept { return examples[index_of(mode)]; }

  /// Returns the loss of the best constant prediction: from the frequencies of labels, else from the number of classes
  /// if the name of the loss tells its kind; nullopt if neither is known.
  [[nodiscard]] std::optional<Chance> chance() const;

  /// Takes what a step tells.
  void add(const JudgedStep& step);
  void exchange(RuleState& state);

 private:
  void add_examples(const JudgedStep& step);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/training_facts_impl.hpp>
#endif
