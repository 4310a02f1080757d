// What the rules on losses ask of a step: the loss that is trained, the level of the best constant prediction, and how
// much one part of a series lies below another.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/internal/median.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Asks for the losses of every step.
inline Collection every_loss() { return {.name = "losses", .save = every(1)}; }

/// Asks for labels and predictions of every step: elements.
inline Collection every_answer() {
  return {.name = "answers", .include_regex = "[Ll]oss_input_[01]$|^(labels|predictions)$", .save = every(1)};
}

/// Notes that the rule in question has seen `name`.
inline void note_tensor(const JudgedStep& step, std::string_view name) {
  if (const KnownTensor* const tensor = step.find(name))
    if (step.statistics(*tensor) == nullptr) (void)step.reduction(*tensor, Reduction::mean);
}

/// Returns the loss that is trained if this step has it, else null.
inline const LossSeries* trained_loss_in(const JudgedStep& step) {
  const LossSeries& series = step.facts().trained_loss();
  if (!series.in_step) return nullptr;
  note_tensor(step, series.tensor);
  return &series;
}

/// Notes that the rule in question has seen the labels and predictions of the step.
inline void note_examples(const JudgedStep& step) {
  for (const Role role : {Role::labels, Role::predictions})
    for (const KnownTensor* tensor : step.with_role(role))
      if (step.value(*tensor) == nullptr) (void)step.classes(tensor->name);
}

/// Returns the loss of the best constant prediction: `given` if it is a number.
inline std::optional<double> chance_level(const JudgedStep& step, double given) {
  if (!std::isnan(given)) return given;
  const auto& found = step.facts().chance();
  return found ? std::optional<double>(found->level) : std::nullopt;
}

/// Returns how the level of chance is known, for messages.
inline std::string chance_source(const JudgedStep& step, double given) {
  if (!std::isnan(given)) return "a parameter";
  const auto& found = step.facts().chance();
  return found ? std::string(found->text()) : std::string();
}

/// Returns whether the last block of predictions in the mode of the step is right much more often than a constant one.
inline bool beats_constant(const JudgedStep& step) {
  const ExampleBlock& block = step.facts().examples_of(step.step().mode).block;
  if (block.predictions < Examples::block_size) return false;
  if (block.label_variance > 0) return block.squared_error < block.label_variance / 2;
  const double p = std::max(block.majority, block.by_chance);
  const double deviation = std::sqrt(p * (1 - p) / static_cast<double>(block.predictions));
  return block.correct > p + std::max(0.1 * (1 - p), 10 * deviation);
}

/// Returns the cross entropy of perfect predictions if a share of the labels is wrong, any other class being as
/// frequent; `chance`: that of a constant prediction. No usual label noise explains a loss above that of 30 %.
inline double loss_of_noisy_labels(double chance, double wrong = 0.3) {
  const double others = std::max(1.0, std::exp(chance) - 1);  // the number of the other classes, if all are as frequent
  return -wrong * std::log(wrong / others) - (1 - wrong) * std::log(1 - wrong);
}

/// Returns whether nearly all of the last predictions in the mode of the step are right, while a cross entropy of
/// `loss` says that the network is not sure of them: noisy labels would be predicted wrongly as often.
inline bool is_unsure(const JudgedStep& step, const LossSeries& series, double chance, double loss) {
  constexpr double most_wrong = 0.1;
  const ExampleBlock& block = step.facts().examples_of(step.step().mode).block;
  const bool is_entropy = series.kind == LossKind::cross_entropy || series.kind == LossKind::binary;
  if (!is_entropy || block.predictions < Examples::block_size || block.label_variance > 0) return false;
  const double wrong = 1 - block.correct + 1 / static_cast<double>(block.predictions);
  return wrong < most_wrong && loss > 2 * loss_of_noisy_labels(chance, wrong);
}

/// Returns whether so few predictions are right that 30 % of wrong labels do not explain it.
inline bool is_rarely_right(const ExampleBlock& block) {
  constexpr double right = 0.7;
  if (block.predictions < Examples::block_size || block.label_variance > 0) return false;
  return block.correct < right - 2 * std::sqrt(right * (1 - right) / static_cast<double>(block.predictions));
}

/// The level of an error of regression that a constant prediction reaches where the labels have a mean of 0 and a
/// variance of 1, as is usual: from labels with two peaks to those of a normal distribution.
struct UsualError {
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
};

inline UsualError usual_error_of(LossKind kind) {
  if (kind == LossKind::squared) return {.least = 0.85, .most = 1.15};
  if (kind == LossKind::absolute) return {.least = 0.75, .most = 0.95};
  return kind == LossKind::huber ? UsualError{.least = 0.37, .most = 0.52} : UsualError{};
}

/// Returns what a training should bring its loss far below: the level of chance; where that is unknown, the first
/// value, of an error of regression that of usual labels if it is less, as a first value says little of weights that
/// are wrong.
inline double level_of_usual_labels(const TrainingFacts& facts) {
  const LossSeries& loss = facts.trained_loss();
  const double usual = usual_error_of(loss.kind).most;
  return facts.chance() || !(usual > 0) ? facts.trained_from() : std::min(loss.first, usual);
}

/// The change from one part of a series to a later one.
struct Fall {
  double from = 0;       ///< the mean of the earlier part
  double to = 0;         ///< the mean of the later part
  double deviation = 0;  ///< the standard error of the difference, with neighbours that depend on each other

  [[nodiscard]] double by() const noexcept { return from - to; }
  /// Returns a bound of the fall that it exceeds with a probability below 1 %.
  [[nodiscard]] double at_most() const noexcept { return by() + 2.33 * deviation; }
  [[nodiscard]] double at_least() const noexcept { return by() - 2.33 * deviation; }
};

inline double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double x : values) sum += x;
  return sum / static_cast<double>(values.size());
}

/// Returns the squared standard error of the mean: from the differences of neighbours, which a trend hardly changes,
/// and larger where neighbours are alike.
inline double squared_error_of_mean(std::span<const double> values, double mean) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) return 0;
  double deviations = 0;
  double differences = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    deviations += (values[i] - mean) * (values[i] - mean);
    if (i > 0) differences += (values[i] - values[i - 1]) * (values[i] - values[i - 1]);
  }
  const double variance = differences / (2 * (n - 1));
  if (!(deviations > 0)) return 0;
  const double rho = std::clamp(1 - variance * n / deviations, 0.0, 0.6);
  return variance * (1 + rho) / (1 - rho) / n;
}

/// Returns the change from `earlier` to `later`; neither is empty.
inline Fall fall_between(std::span<const double> earlier, std::span<const double> later) {
  Fall out{.from = mean_of(earlier), .to = mean_of(later)};
  out.deviation = std::sqrt(squared_error_of_mean(earlier, out.from) + squared_error_of_mean(later, out.to));
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
