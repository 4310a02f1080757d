// The bodies of training_facts.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Rows of a tensor of predictions: of each example its class, or its number.
class PredictionRows {
 public:
  /// `rows`: the number of labels.
  PredictionRows(const Tensor& values, std::size_t rows)
      : values_(&values), rows_(rows), width_(rows > 0 && values.size() % rows == 0 ? values.size() / rows : 0) {
    for (std::size_t i = 0; width_ == 1 && i < values.size(); ++i) {
      const double x = values.number(i);
      is_integer_ = is_integer_ && x == std::floor(x);
      is_share_ = is_share_ && x >= 0 && x <= 1;
    }
  }

  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  [[nodiscard]] double number(std::size_t row) const { return values_->number(row); }
  /// Returns the class: of the largest of several numbers, or one number as a class, a probability or a logit.
  [[nodiscard]] std::size_t class_of(std::size_t row) const {
    if (width_ > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < width_; ++i)
        if (values_->number(row * width_ + i) > values_->number(row * width_ + best)) best = i;
      return best;
    }
    const double x = number(row);
    if (is_integer_) return x > 0 && x < 1e6 ? static_cast<std::size_t>(x) : 0;
    return x > (is_share_ ? 0.5 : 0.0) ? 1 : 0;
  }

 private:
  const Tensor* values_;
  std::size_t rows_;
  std::size_t width_;
  bool is_integer_ = true;
  bool is_share_ = true;
};

/// Returns the class of each example; empty if the labels are no classes: small whole numbers, or rows with a single 1.
inline std::vector<std::size_t> classes_of(const Tensor& labels) {
  std::vector<std::size_t> out;
  const std::size_t rows = labels.rank() == 0 ? 1 : static_cast<std::size_t>(labels.shape()[0]);
  const std::size_t width = rows == 0 ? 0 : labels.size() / rows;
  const auto is_class = [](double x) { return x >= 0 && x < Examples::most_classes && x == std::floor(x); };
  if (width == 1) {
    for (std::size_t i = 0; i < rows; ++i) {
      const double x = labels.number(i);
      if (!is_class(x)) return {};
      out.push_back(static_cast<std::size_t>(x));
    }
  } else if (labels.rank() == 2) {
    for (std::size_t i = 0; i < rows; ++i) {
      std::size_t ones = 0;
      std::size_t at = 0;
      for (std::size_t k = 0; k < width; ++k) {
        const double x = labels.number(i * width + k);
        if (x == 1) ++ones, at = k;
        if (x != 0 && x != 1) return {};
      }
      if (ones != 1) return {};
      out.push_back(at);
    }
  }
  return out;
}

inline void count_at(std::vector<std::int64_t>& counts, std::size_t at) {
  if (at >= Examples::most_classes) return;
  if (at >= counts.size()) counts.resize(at + 1);
  ++counts[at];
}

inline double largest_share(const std::vector<std::int64_t>& counts, std::int64_t total) {
  if (counts.empty() || total == 0) return 0;
  return static_cast<double>(*std::max_element(counts.begin(), counts.end())) / static_cast<double>(total);
}

inline double variance_of(double sum, double squares, std::int64_t n) {
  if (n == 0) return 0;
  const double mean = sum / static_cast<double>(n);
  return std::max(0.0, squares / static_cast<double>(n) - mean * mean);
}

/// Returns the value of a loss: its mean if it has several elements; NaN if one of them is.
inline std::optional<double> loss_in(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count == 0) return std::nullopt;
    return s->non_finite() > 0 ? std::numeric_limits<double>::quiet_NaN() : s->mean();
  }
  return step.reduction(tensor, Reduction::mean);
}

}  // namespace detail

// ---- LossSeries

TENSORTAP_INLINE double LossSeries::before(std::size_t back) const {
  const auto last = static_cast<std::size_t>(count - 1);
  return recent[(last - back) % most_recent];
}

TENSORTAP_INLINE std::int64_t LossSeries::step_before(std::size_t back) const {
  const auto last = static_cast<std::size_t>(count - 1);
  return steps[(last - back) % most_recent];
}

TENSORTAP_INLINE double LossSeries::recent_mean(std::size_t n) const {
  n = std::min(n, kept());
  double sum = 0;
  for (std::size_t back = 0; back < n; ++back) sum += before(back);
  return sum / static_cast<double>(n);
}

TENSORTAP_INLINE void LossSeries::add(double value, std::int64_t mode_step) {
  in_step = true;
  now = value;
  last_mode_step = mode_step;
  if (!std::isfinite(value)) {
    ++not_finite;
    return;
  }
  constexpr double weight = 2.0 / 21;
  const std::size_t at = static_cast<std::size_t>(count) % most_recent;
  if (at >= recent.size()) {
    recent.push_back(value);
    steps.push_back(mode_step);
  } else {
    recent[at] = value;
    steps[at] = mode_step;
  }
  first = count == 0 ? value : first;
  best = count == 0 ? value : std::min(best, value);
  smooth = count == 0 ? value : smooth + weight * (value - smooth);
  best_smooth = count == 0 ? smooth : std::min(best_smooth, smooth);
  above_best = smooth > 2 * best_smooth ? above_best + 1 : 0;
  ++count;
}

TENSORTAP_INLINE void LossSeries::exchange(RuleState& state) {
  state(tensor)(count)(not_finite)(first)(best)(smooth)(best_smooth)(above_best)(last_mode_step)(recent)(steps);
}

// ---- Examples

TENSORTAP_INLINE void Block::exchange(RuleState& state) {
  state(number)(examples)(correct)(majority)(top_prediction)(label_variance)(prediction_variance);
}

TENSORTAP_INLINE void Examples::Open::exchange(RuleState& state) {
  state(examples)(correct)(labels)(predicted)(label_sum)(label_squares)(prediction_sum)(prediction_squares);
}

TENSORTAP_INLINE void Examples::exchange(RuleState& state) {
  state(task)(classes)(count)(labels)(predicted)(right)(label_mean)(label_deviations)(label_abs_deviations);
  state(block)(open);
}

// ---- TrainingFacts

TENSORTAP_INLINE void TrainingFacts::add(const JudgedStep& step) {
  const Step at = step.step();
  for (LossSeries& series : losses) series.in_step = false;
  for (Examples& one : examples) one.block_ends = false;
  LossSeries& series = losses[index_of(at.mode)];
  for (const KnownTensor* loss : step.with_role(Role::loss)) {
    if (!series.tensor.empty() && series.tensor != loss->name) continue;
    const auto value = detail::loss_in(step, *loss);
    if (!value) continue;
    series.tensor = loss->name;
    series.add(*value, at.mode_step);
    break;
  }
  if (outputs == 0) {
    std::span<const KnownTensor* const> parameters = step.with_role(Role::bias);
    if (!parameters.empty())
      if (const Statistics* const s = step.statistics(*parameters.back()))
        outputs = static_cast<std::int64_t>(s->count);
  }
  add_examples(step);
}

TENSORTAP_INLINE void TrainingFacts::add_examples(const JudgedStep& step) {
  const auto with_labels = step.with_role(Role::labels);
  const auto with_predictions = step.with_role(Role::predictions);
  if (with_labels.empty()) return;
  const Tensor* const labels = step.value(*with_labels.front());
  if (labels == nullptr || labels->size() == 0 || labels->dtype() == DType::string) return;
  const Tensor* predictions = with_predictions.empty() ? nullptr : step.value(*with_predictions.front());
  if (predictions != nullptr && predictions->dtype() == DType::string) predictions = nullptr;
  Examples& out = examples[index_of(step.step().mode)];

  const std::vector<std::size_t> classes = detail::classes_of(*labels);
  const std::size_t rows = classes.empty() ? labels->size() : classes.size();
  const detail::PredictionRows predicted(predictions != nullptr ? *predictions : Tensor(), rows);
  if (classes.empty() != (out.task == Task::regression)) {
    if (out.task != Task::unknown && classes.empty()) return;  // one odd batch of classes
    out.task = classes.empty() ? Task::regression : Task::classification;
  }
  if (out.task == Task::unknown) out.task = Task::classification;
  out.classes = std::max(out.classes, static_cast<std::int64_t>(predicted.width()));
  for (std::size_t row = 0; row < rows; ++row) {
    ++out.count;
    ++out.open.examples;
    if (out.task == Task::classification && !classes.empty()) {
      detail::count_at(out.labels, classes[row]);
      detail::count_at(out.open.labels, classes[row]);
      if (predicted.width() == 0) continue;
      const std::size_t guess = predicted.class_of(row);
      detail::count_at(out.predicted, guess);
      detail::count_at(out.open.predicted, guess);
      if (guess != classes[row]) continue;
      detail::count_at(out.right, guess);
      ++out.open.correct;
    } else {
      const double label = labels->number(row);
      if (!std::isfinite(label)) continue;
      const double before = label - out.label_mean;
      out.label_mean += before / static_cast<double>(out.count);
      out.label_deviations += before * (label - out.label_mean);
      out.label_abs_deviations += std::abs(label - out.label_mean);
      out.open.label_sum += label;
      out.open.label_squares += label * label;
      if (predicted.width() != 1 || !std::isfinite(predicted.number(row))) continue;
      out.open.prediction_sum += predicted.number(row);
      out.open.prediction_squares += predicted.number(row) * predicted.number(row);
    }
  }
  if (out.open.examples < Examples::block_size) return;
  const Examples::Open& open = out.open;
  out.block_ends = true;
  out.block = {.number = out.block.number + 1,
               .examples = open.examples,
               .correct = static_cast<double>(open.correct) / static_cast<double>(open.examples),
               .majority = detail::largest_share(open.labels, open.examples),
               .top_prediction = detail::largest_share(open.predicted, open.examples),
               .label_variance = detail::variance_of(open.label_sum, open.label_squares, open.examples),
               .prediction_variance = detail::variance_of(open.prediction_sum, open.prediction_squares, open.examples)};
  out.open = {};
}

TENSORTAP_INLINE std::optional<Chance> TrainingFacts::chance() const {
  const LossSeries& series = loss(Mode::train).tensor.empty() ? loss(Mode::global) : loss(Mode::train);
  const auto has = [&](std::string_view word) { return series.tensor.find(word) != std::string::npos; };
  const bool is_entropy = has("CrossEntropy") || has("NLL") || has("BCE");
  for (const Mode mode : {Mode::train, Mode::global, Mode::eval}) {
    const Examples& seen = examples_of(mode);
    if (seen.count < Examples::block_size) continue;
    if (seen.task == Task::classification) {
      if (has("MSE") || has("L1")) continue;
      double entropy = 0;
      for (const std::int64_t n : seen.labels)
        if (n > 0) {
          const double share = static_cast<double>(n) / static_cast<double>(seen.count);
          entropy -= share * std::log(share);
        }
      return Chance{entropy, "the frequencies of the labels"};
    }
    if (seen.task == Task::regression && has("MSE"))
      return Chance{seen.label_deviations / static_cast<double>(seen.count), "the variance of the labels"};
    if (seen.task == Task::regression && has("L1"))
      return Chance{seen.label_abs_deviations / static_cast<double>(seen.count), "the mean deviation of the labels"};
  }
  if (!is_entropy) return std::nullopt;
  if (has("BCE")) return Chance{std::log(2.0), "two classes"};
  std::int64_t classes = 0;
  for (const Examples& seen : examples) classes = std::max(classes, seen.classes);
  if (classes < 2) classes = outputs;
  if (classes < 2) return std::nullopt;
  return Chance{std::log(static_cast<double>(classes)), "the number of classes"};
}

TENSORTAP_INLINE void TrainingFacts::exchange(RuleState& state) {
  for (LossSeries& series : losses) state(series);
  for (Examples& one : examples) state(one);
  state(outputs);
}

TENSORTAP_END_NAMESPACE
