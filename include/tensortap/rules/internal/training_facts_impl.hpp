// The bodies of training_facts.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/internal/layer_size.hpp>
#include <tensortap/rules/internal/loss_value.hpp>
#include <tensortap/rules/internal/output_count.hpp>
#include <tensortap/rules/internal/training_examples.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns whether a lower-case name has one of these words.
inline bool has_word(std::string_view lower, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string_view::npos; });
}

/// Returns whether a loss of this name is not that of training steps, as "val_loss".
inline bool is_of_validation(std::string_view name) {
  static constexpr std::array<std::string_view, 4> words = {"val", "eval", "test", "valid"};
  const std::string lower = in_lower_case(name);
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  for (std::size_t begin = 0; begin < lower.size();) {
    std::size_t end = begin;
    while (end < lower.size() && is_letter(lower[end])) ++end;
    const std::string_view word = std::string_view(lower).substr(begin, end - begin);
    if (std::find(words.begin(), words.end(), word) != words.end() || word == "validation") return true;
    begin = end + 1;
  }
  return false;
}

/// Returns the entropy of the frequencies of classes, corrected for their number being small (Miller and Madow).
inline double entropy_of(const std::vector<std::int64_t>& counts, std::int64_t total) {
  double out = 0;
  for (const std::int64_t n : counts) {
    const double p = share(static_cast<double>(n), total);
    if (p > 0) out += 0.5 / static_cast<double>(total) - p * std::log(p);
  }
  return std::max(0.0, out - share(0.5, total));
}

/// Returns the mean squared error of the frequencies of classes as predictions of rows with a single 1.
inline double squared_error_of(const std::vector<std::int64_t>& counts, std::int64_t total, std::int64_t classes) {
  double out = 0;
  for (const std::int64_t n : counts) {
    const double p = share(static_cast<double>(n), total);
    out += p * (1 - p);
  }
  return share(out, std::max(classes, static_cast<std::int64_t>(counts.size())));
}

/// Returns the mean cross entropy of the frequencies of classes as predictions of rows with a single 1, each element
/// being a question of its own.
inline double binary_entropy_of(const std::vector<std::int64_t>& counts, std::int64_t total, std::int64_t classes) {
  double out = 0;
  for (const std::int64_t n : counts) {
    const double p = share(static_cast<double>(n), total);
    if (p > 0 && p < 1) out -= p * std::log(p) + (1 - p) * std::log(1 - p);
  }
  return share(out, std::max(classes, static_cast<std::int64_t>(counts.size())));
}

/// Returns whether all elements are the same number; nullopt if that is unknown, or there are fewer than two.
inline std::optional<bool> is_constant(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor))
    return s->count < 2 ? std::nullopt : std::optional<bool>(s->non_finite() == 0 && s->min == s->max);
  const auto min = step.reduction(tensor, Reduction::min);
  const auto max = step.reduction(tensor, Reduction::max);
  return min && max ? std::optional<bool>(*min == *max) : std::nullopt;
}

/// Returns whether a weight is evenly distributed below one of the limits with which PyTorch draws it by default: 1 /
/// sqrt(inputs of a unit), of a recurrent layer 1 / sqrt(units), or those of Glorot and of Kaiming. nullopt if it is a
/// vector or an embedding, too small to tell, or its size is unknown.
inline std::optional<bool> is_default_draw(const JudgedStep& step, const KnownTensor& weight, ElementCount& elements) {
  constexpr std::uint64_t enough = 64;
  constexpr double rounding = 1 + 1e-5;
  constexpr double tolerance = 0.15;
  const auto min = step.reduction(weight, Reduction::min);
  const auto max = step.reduction(weight, Reduction::max);
  const auto mean = step.reduction(weight, Reduction::mean);
  const auto std = step.reduction(weight, Reduction::std);
  if (!min || !max || !mean || !std || *min == *max || contains_in_any_case(weight.name, "embed")) return std::nullopt;
  const LayerSize size = layer_size_of(step, weight, elements);
  if (size.outputs == 0 || size.outputs * size.inputs < enough) return std::nullopt;
  const auto inputs = static_cast<double>(size.inputs);
  const auto outputs = static_cast<double>(size.outputs);
  const double largest = std::max(-*min, *max);
  const double rms = std::hypot(*mean, *std);
  const auto is_below = [&](double limit) {
    const double usual = limit / std::sqrt(3.0);
    return largest <= rounding * limit && std::abs(rms - usual) < tolerance * usual;
  };
  const bool is_recurrent = contains_in_any_case(weight.name, "weight_ih") || contains_in_any_case(weight.name, "_hh");
  if (is_recurrent)  // rows for 4 gates, 3, or 1
    return is_below(std::sqrt(4 / outputs)) || is_below(std::sqrt(3 / outputs)) || is_below(std::sqrt(1 / outputs));
  const double outputs_of_input = outputs * static_cast<double>(size.places);
  return is_below(std::sqrt(1 / inputs)) || is_below(std::sqrt(6 / (inputs + outputs_of_input))) ||
         is_below(std::sqrt(6 / inputs));
}

/// Returns the number of classes, as scores tell, else the size of the last layer; 0 if neither is known.
inline std::int64_t known_classes(const TrainingFacts& facts) noexcept {
  std::int64_t classes = 0;
  for (const Examples& seen : facts.examples) classes = std::max(classes, seen.classes);
  return classes < 2 ? facts.outputs : classes;
}

/// Returns whether `test` holds for all of the tensors that it tells something of, and there is one.
template <typename Test>
bool is_true_of_all(const JudgedStep& step, std::span<const KnownTensor* const> tensors, const Test& test) {
  bool is_known = false;
  for (const KnownTensor* tensor : tensors)
    if (const std::optional<bool> one = test(step, *tensor)) {
      if (!*one) return false;
      is_known = true;
    }
  return is_known;
}

}  // namespace detail

TENSORTAP_INLINE LossKind loss_kind_of(std::string_view name) {
  const std::string lower = detail::in_lower_case(name);
  static constexpr std::array<std::string_view, 15> others = {"kldiv",  "kl_",   "triplet",     "ctc",   "cosine",
                                                              "margin", "hinge", "contrastive", "gauss", "poisson",
                                                              "focal",  "elbo",  "rmse",        "gan",   "reward"};
  static constexpr std::array<std::string_view, 3> binaries = {"bce", "binarycross", "binary_cross"};
  static constexpr std::array<std::string_view, 5> entropies = {"crossentropy", "cross_entropy", "nll", "mlogloss",
                                                                "xent"};
  static constexpr std::array<std::string_view, 4> squares = {"mse", "squared", "l2loss", "l2_loss"};
  static constexpr std::array<std::string_view, 4> hubers = {"huber", "smoothl1", "smooth_l1", "smooth-l1"};
  static constexpr std::array<std::string_view, 5> absolutes = {"l1loss", "l1_loss", "mae", "absolute_error",
                                                                "absoluteerror"};
  if (detail::has_word(lower, others)) return LossKind::other;
  if (detail::has_word(lower, binaries)) return LossKind::binary;
  if (detail::has_word(lower, entropies)) return LossKind::cross_entropy;
  if (lower.find("logloss") != std::string::npos) return LossKind::binary;
  if (detail::has_word(lower, squares)) return LossKind::squared;
  if (detail::has_word(lower, hubers)) return LossKind::huber;
  if (detail::has_word(lower, absolutes)) return LossKind::absolute;
  return LossKind::unknown;
}

// ---- LossHistory and LossSeries

TENSORTAP_INLINE void LossHistory::add(double value, std::int64_t mode_step) {
  open_sum += value;
  if (++open_count < width) return;
  means.push_back(open_sum / static_cast<double>(open_count));
  steps.push_back(mode_step);
  open_sum = 0;
  open_count = 0;
  if (means.size() < most_means) return;
  for (std::size_t i = 0; i < most_means / 2; ++i) {
    means[i] = (means[2 * i] + means[2 * i + 1]) / 2;
    steps[i] = steps[2 * i + 1];
  }
  means.resize(most_means / 2);
  steps.resize(most_means / 2);
  width *= 2;
}

TENSORTAP_INLINE void LossHistory::exchange(RuleState& state) {
  state(width)(means)(steps)(open_sum)(open_count);
  state.require(width > 0 && means.size() == steps.size() && means.size() < most_means);
}

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
  const std::int64_t since = count + not_finite == 0 ? 1 : std::max<std::int64_t>(1, mode_step - last_mode_step);
  last_mode_step = mode_step;
  if (!std::isfinite(value)) {
    ++not_finite;
    return;
  }
  const std::size_t at = static_cast<std::size_t>(count) % most_recent;
  if (at >= recent.size()) {
    recent.push_back(value);
    steps.push_back(mode_step);
  } else {
    recent[at] = value;
    steps[at] = mode_step;
  }
  history.add(value, mode_step);
  // The average is over 20 steps, over 7 values if these are rare, and over all values while they are few.
  const double usual = std::min(0.25, 1 - std::pow(1 - 2.0 / 21, static_cast<double>(since)));
  const double weight = std::max(usual, 1 / static_cast<double>(count + 1));
  first = count == 0 ? value : first;
  best = count == 0 ? value : std::min(best, value);
  smooth += weight * (value - smooth);
  ++count;
  if (count <= 5 || smooth < best_smooth) {
    best_smooth = smooth;
    best_count = count;
  }
  const bool is_above = smooth > 2 * best_smooth;
  if (is_above && above_best == 0) above_since = mode_step;
  above_best = is_above ? above_best + 1 : 0;
}

TENSORTAP_INLINE void LossSeries::exchange(RuleState& state) {
  state(tensor)(kind)(
      count)(not_finite)(first)(best)(smooth)(best_smooth)(best_count)(above_best)(above_since)(last_mode_step);
  state(recent)(steps)(history);
  state.require(kind <= LossKind::other && count >= 0 && recent.size() == steps.size() &&
                recent.size() == std::min(static_cast<std::size_t>(count), most_recent));
}

// ---- TrainingFacts

TENSORTAP_INLINE const LossSeries& TrainingFacts::trained_loss() const noexcept {
  for (const Mode mode : {Mode::train, Mode::global})
    if (!loss(mode).tensor.empty()) return loss(mode);
  return loss(Mode::eval);
}

TENSORTAP_INLINE const ExampleBlock& TrainingFacts::trained_block() const noexcept {
  for (const Mode mode : {Mode::train, Mode::global})
    if (examples_of(mode).block.number > 0) return examples_of(mode).block;
  return examples_of(Mode::eval).block;
}

TENSORTAP_INLINE bool TrainingFacts::predicts_sequences() const noexcept {
  const std::int64_t classes = detail::known_classes(*this);
  return has_sequences || (classes > 2 && classes == embedding_rows_);
}

TENSORTAP_INLINE void TrainingFacts::add(const JudgedStep& step) {
  for (LossSeries& series : losses) series.in_step = false;
  for (Examples& one : examples) {
    one.block_ends = false;
    one.labels_now.clear();
    one.predicted_now.clear();
    one.label_counts_now.clear();
  }
  add_losses(step);
  add_outputs(step);
  add_initial_weights(step);
  const Examples& seen = examples_of(step.step().mode);
  const std::int64_t classes_before = seen.classes;
  add_examples(step);
  const bool is_early = seen.count < 2 * Examples::block_size;  // then each step makes it clearer
  if (!chance_ || seen.block_ends || is_early || seen.classes != classes_before) chance_ = find_chance();
}

TENSORTAP_INLINE void TrainingFacts::add_losses(const JudgedStep& step) {
  const Step at = step.step();
  for (const KnownTensor* loss : step.with_role(Role::loss)) {
    LossSeries* series = &losses[index_of(at.mode)];
    if (series->tensor != loss->name) {
      LossSeries& validation = losses[index_of(Mode::eval)];
      const bool is_known = validation.tensor == loss->name;
      if (is_known || (at.mode != Mode::eval && detail::is_of_validation(loss->name))) series = &validation;
    }
    if (series->in_step || (!series->tensor.empty() && series->tensor != loss->name)) continue;
    const auto value = detail::loss_in(step, *loss);
    if (!value) continue;
    if (series->tensor.empty()) {
      series->tensor = loss->name;
      series->kind = loss_kind_of(loss->name);
    }
    series->add(*value, at.mode_step);
  }
}

TENSORTAP_INLINE void TrainingFacts::add_outputs(const JudgedStep& step) {
  constexpr std::int64_t most_tries = 3;
  const LossSeries& series = trained_loss();
  if (outputs != 0 || tries_ >= most_tries || series.count == 0) return;
  detail::OutputCount found(series.first);
  found.look_at(step);
  outputs = found.count();
  ++tries_;
}

TENSORTAP_INLINE void TrainingFacts::add_initial_weights(const JudgedStep& step) {
  const Step at = step.step();
  if ((at.mode != Mode::train && at.mode != Mode::global) || at.mode_step != 0) return;
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const Tensor* const value =
        embedding_rows_ == 0 && detail::contains_in_any_case(weight->name, "embed") ? step.value(*weight) : nullptr;
    if (value != nullptr && value->rank() == 2) embedding_rows_ = value->shape()[0];
  }
  detail::ElementCount elements(step);
  const auto is_drawn = [&](const JudgedStep& at_step, const KnownTensor& weight) {
    return detail::is_default_draw(at_step, weight, elements);
  };
  is_from_scratch = is_from_scratch || detail::is_true_of_all(step, step.with_role(Role::bias), detail::is_constant) ||
                    detail::is_true_of_all(step, step.with_role(Role::weight), is_drawn);
}

TENSORTAP_INLINE void TrainingFacts::add_examples(const JudgedStep& step) {
  const auto numbers_of = [&](const KnownTensor* tensor) -> const Tensor* {
    const Tensor* const value = step.value(*tensor);
    return value == nullptr || value->size() == 0 || value->dtype() == DType::string ? nullptr : value;
  };
  Examples& out = examples[index_of(step.step().mode)];
  const Tensor* labels = nullptr;
  for (const KnownTensor* tensor : step.with_role(Role::labels))
    if (labels = numbers_of(tensor); labels != nullptr) break;
  const std::size_t rows = labels == nullptr || labels->rank() == 0 ? 1 : static_cast<std::size_t>(labels->shape()[0]);
  const KnownTensor* name = nullptr;
  const Tensor* predictions = nullptr;
  for (const KnownTensor* tensor : step.with_role(Role::predictions)) {
    name = tensor;
    predictions = numbers_of(tensor);
    if (predictions != nullptr && predictions->size() % rows == 0) break;
    predictions = nullptr;
  }
  const LossKind kind = trained_loss().kind;
  const bool is_of_numbers = kind == LossKind::squared || kind == LossKind::absolute || kind == LossKind::huber;
  if (labels == nullptr && !is_of_numbers) {
    const auto counts_of = [&](Role role) {
      for (const KnownTensor* tensor : step.with_role(role))
        if (auto counts = step.classes(tensor->name)) return *std::move(counts);
      return std::vector<std::int64_t>();
    };
    if (const auto counted = counts_of(Role::labels); !counted.empty())
      return out.add_counts(counted, counts_of(Role::predictions));
  }
  if (labels == nullptr) {
    const bool has_classes = predictions != nullptr && predictions->rank() == 2 && kind == LossKind::cross_entropy;
    if (has_classes) out.classes = std::max(out.classes, predictions->shape()[1]);
    return;
  }
  double limit = std::numeric_limits<double>::quiet_NaN();
  if (predictions != nullptr && name->name.find("BCE") != std::string::npos)
    limit = name->name.find("WithLogits") != std::string::npos ? 0 : 0.5;
  out.add(*labels, predictions, kind, limit);
  has_sequences = has_sequences || (kind == LossKind::cross_entropy && out.labels_now.size() > rows);
}

TENSORTAP_INLINE std::optional<Chance> TrainingFacts::find_chance() const {
  constexpr std::int64_t least_labels = 64;
  const LossKind kind = trained_loss().kind;
  if (trained_loss().tensor.empty() || kind == LossKind::other) return std::nullopt;
  for (const Mode mode : {Mode::train, Mode::global, Mode::eval}) {
    const Examples& seen = examples_of(mode);
    if (seen.count < least_labels) continue;
    const auto of_labels = [](double level) { return Chance{level, Chance::Source::labels}; };
    if (seen.task == Task::classification) {
      if (kind == LossKind::squared) return of_labels(detail::squared_error_of(seen.labels, seen.count, seen.classes));
      if (kind == LossKind::binary && seen.classes > 2)
        return of_labels(detail::binary_entropy_of(seen.labels, seen.count, seen.classes));
      if (kind != LossKind::absolute && kind != LossKind::huber)
        return of_labels(detail::entropy_of(seen.labels, seen.count));
      continue;
    }
    if (kind == LossKind::squared) return of_labels(detail::share(seen.label_deviations, seen.count));
    if (kind == LossKind::absolute) return of_labels(detail::share(seen.label_abs_deviations, seen.count));
    if (kind == LossKind::huber) return of_labels(detail::share(seen.label_huber_deviations, seen.count));
    const double p = seen.label_mean;
    if (kind == LossKind::binary && p > 0 && p < 1) return of_labels(-p * std::log(p) - (1 - p) * std::log(1 - p));
  }
  const auto of_classes = [](std::int64_t n) {
    return Chance{std::log(static_cast<double>(n)), Chance::Source::classes};
  };
  if (kind == LossKind::binary) return of_classes(2);
  if (kind != LossKind::cross_entropy) return std::nullopt;
  const std::int64_t classes = detail::known_classes(*this);
  if (classes < 2) return std::nullopt;
  return of_classes(classes);
}

TENSORTAP_INLINE void TrainingFacts::exchange(RuleState& state) {
  for (LossSeries& series : losses) state(series);
  for (Examples& one : examples) state(one);
  state(outputs)(is_from_scratch)(has_sequences)(tries_)(embedding_rows_)(chance_);
}

TENSORTAP_END_NAMESPACE
