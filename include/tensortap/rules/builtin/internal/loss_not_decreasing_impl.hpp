// The bodies of loss_not_decreasing.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/loss_not_decreasing.hpp>
#include <tensortap/rules/internal/loss_value.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The last values of a loss, the oldest first, and as many before them. One value counts as `most` at most, so that a
/// single bad batch does not decide.
struct LastValues {
  /// Takes a third of the values, at least 4 and at most 30; half of them if there are few; 3 of evaluations.
  LastValues(const LossSeries& series, bool of_evaluation, double most)
      : size(of_evaluation ? 3
                           : std::min(std::clamp<std::size_t>(static_cast<std::size_t>(series.count) / 3, 4, 30),
                                      series.kept() / 2)) {
    for (std::size_t i = 0; i < 2 * size && i < series.kept(); ++i)
      values[2 * size - 1 - i] = std::min(series.before(i), most);
  }

  [[nodiscard]] Fall fall() const {
    const std::span<const double> all(values.data(), 2 * size);
    return fall_between(all.first(size), all.last(size));
  }

  std::size_t size;
  std::array<double, 60> values = {};
};

/// Returns the change from the first fifth of a loss to the last, of medians, which forget single bad batches; nullopt
/// if there are too few values.
inline std::optional<Fall> whole_fall(const LossSeries& series) {
  const std::span<const double> means = series.history.means;
  const std::size_t part = means.size() / 5;
  if (part == 0) return std::nullopt;
  Fall whole = fall_between(means.first(part), means.last(part));
  std::array<double, LossHistory::most_means> copy = {};
  std::copy(means.begin(), means.end(), copy.begin());
  whole.from = median_of(std::span(copy).first(part));
  whole.to = median_of(std::span(copy).subspan(means.size() - part, part));
  return whole;
}

/// Returns the change of a loss after its first fifth, which forgets a bad start: from the next two fifths to the last
/// two; nullopt if there are too few values.
inline std::optional<Fall> fall_after_start(const LossSeries& series) {
  const std::span<const double> means = series.history.means;
  const std::size_t part = 2 * means.size() / 5;
  if (part < 2) return std::nullopt;
  return fall_between(means.subspan(means.size() - 2 * part, part), means.last(part));
}

inline bool is_flat(const Fall& whole) {
  return std::abs(whole.by()) < 0.05 * whole.from && whole.at_most() < 0.05 * whole.from;
}

/// Returns whether the weights were new, and the loss has never fallen clearly since, whatever its scale; or it began
/// at less than a hundredth of `level`, which no new network reaches, so that it is scaled, and has not halved. Where
/// the level is unknown, a loss that has fallen by less than 15 % has not fallen clearly.
inline bool has_learned_nothing(const TrainingFacts& facts, const LossSeries& series, std::optional<double> level) {
  const auto whole = whole_fall(series);
  if (!facts.is_from_scratch || !whole || !(series.first > 0)) return false;
  // The outputs of new networks are of the order of 1, and so is an error of regression.
  const bool is_regression = series.kind == LossKind::squared || series.kind == LossKind::absolute;
  const double least = 0.01 * level.value_or(is_regression ? 0.3 : 0);
  if (whole->from < least && series.first < least) return whole->to > 0.5 * whole->from;
  const bool has_hardly_fallen = !level && whole->by() < 0.15 * whole->from && whole->at_most() < 0.3 * whole->from;
  return (is_flat(*whole) || has_hardly_fallen) && series.best_smooth > (level ? 0.8 : 0.7) * whole->from;
}

/// Returns whether `level` differs by at most 1.5 % from the logarithm of a small number of classes.
inline bool is_log_of_classes(double level) {
  for (int classes = 2; classes <= 20; ++classes)
    if (std::abs(level - std::log(classes)) <= 0.015 * std::log(classes)) return true;
  return false;
}

/// Returns whether an error of regression has hardly fallen, and is what a constant prediction reaches of usual labels,
/// or more: then the labels are larger.
inline bool is_error_of_constant(LossKind kind, const Fall& whole) {
  return whole.by() < 0.12 * whole.from && whole.to > usual_error_of(kind).least;
}

/// Returns whether a loss has not fallen since the first fifth of the run, and is what a constant prediction reaches:
/// of a small number of classes, unless it began not far above that, as with more classes and noisy labels; or of
/// usual labels, unless it began so far above that they may be larger; or of larger ones, if it is above 40 % of what
/// it began with.
inline bool is_constant_since_start(const LossSeries& series, bool may_be_entropy) {
  constexpr std::size_t few = 3;
  const auto later = fall_after_start(series);
  if (!later) return false;
  const bool began_near = series.first < 1.5 * later->to || series.first > 5 * later->to;
  if (may_be_entropy && began_near && is_flat(*later) && is_log_of_classes(later->to)) return true;
  const double began = mean_of(std::span(series.history.means).first(few));
  const bool is_usual = later->to < usual_error_of(series.kind).most && began < 5 * later->to;
  return (is_usual || later->to > 0.4 * began) && is_error_of_constant(series.kind, *later);
}

/// Returns how many checks in a row are needed for what must last for `patience` checks, each after `interval` steps:
/// fewer if the loss is saved so rarely that there are more steps between them.
inline std::int64_t checks_in(std::int64_t patience, std::int64_t interval, const LossSeries& series) {
  const std::int64_t gap = std::max(interval, series.step_before(0) - series.step_before(1));
  return gap <= 0 ? patience : (patience * interval + gap - 1) / gap;
}

/// Returns whether each of a few last values is above `limit`: their mean alone tells little.
inline bool all_above(const LastValues& last, double limit) {
  constexpr std::size_t few = 4;
  return last.size >= few || std::all_of(last.values.begin(), last.values.begin() + 2 * last.size,
                                         [&](double value) { return value > limit; });
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> LossNotDecreasing::required() const {
  return {detail::every_loss(), detail::every_answer()};
}

TENSORTAP_INLINE std::vector<Finding> LossNotDecreasing::operator()(const JudgedStep& step) {
  for (const double value : {share, diff_percent, increase_threshold_percent})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  for (const std::int64_t value : {start, interval, patience, num_steps})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  if (!mode.empty() && !parse_mode(mode)) throw Error::bad_parameter(name, "mode", mode);
  return against_past ? judge_past(step) : judge_level(step);
}

TENSORTAP_INLINE std::vector<Finding> LossNotDecreasing::judge_level(const JudgedStep& step) {
  const LossSeries* const series = detail::trained_loss_in(step);
  const std::int64_t at = step.step().mode_step;
  const bool of_evaluation = step.step().mode == Mode::eval;
  const std::int64_t least = of_evaluation ? 6 : 4;
  if (series == nullptr || series->count < least || at < start || at < state.next_check) return {};
  state.next_check = at + interval;
  const auto level = detail::chance_level(step, chance);
  const double most = level ? 2 * *level : std::numeric_limits<double>::infinity();
  const detail::LastValues last(*series, of_evaluation, most);
  const detail::Fall fall = last.fall();
  Finding found{.value = series->recent_mean(last.size)};
  bool is_bad = false;
  std::int64_t needed = patience;
  if (level) {
    found.threshold = share * *level;
    const std::int64_t steps = std::max<std::int64_t>(1, at - series->step_before(last.size));
    const double by = fall.at_least() > 0 ? fall.by() / static_cast<double>(steps) * static_cast<double>(at) : 0;
    const bool is_late = fall.to - by > found.threshold || fall.to > *level;
    is_bad =
        *level > 0 && fall.to > found.threshold && is_late && detail::all_above(last, found.threshold) &&
        (fall.to > 1.5 * *level || !detail::beats_constant(step) || detail::is_unsure(step, *series, *level, fall.to));
    if (fall.to < 0.985 * *level) needed = 2 * patience;  // it may just be slow
    if (fall.to > 1.5 * *level) needed = 1;
  } else if (2 * at >= 3 * start) {
    is_bad = judge_without_chance(*series, found);
  }
  const bool is_new = at >= 2 * start && detail::has_learned_nothing(step.facts(), *series, level);
  if (is_new) {
    if (!is_bad) needed = patience;
    is_bad = true;
    found.severity = Severity::error;
  }
  state.bad_checks = is_bad ? state.bad_checks + 1 : 0;
  if (!is_bad || state.bad_checks < (level ? detail::checks_in(needed, interval, *series) : needed)) return {};
  found.tensor = series->tensor;
  if (level && is_new && !(fall.to > found.threshold)) {
    found.threshold = detail::whole_fall(*series)->from;
    found.message = "the mean of its last values is " + shortest(found.value) + ", and it began at " +
                    shortest(found.threshold) +
                    " with new weights; check the learning rate, and whether the loss is scaled";
  } else if (level) {
    found.message = "the mean of its last " + std::to_string(last.size) + " values is " + shortest(found.value) +
                    ", and a constant prediction reaches " + shortest(*level) + ", " +
                    detail::chance_source(step, chance) +
                    "; check the learning rate, the labels, and that gradients reach all layers";
  }
  return {std::move(found)};
}

TENSORTAP_INLINE bool LossNotDecreasing::judge_without_chance(const LossSeries& series, Finding& found) const {
  const auto known = detail::whole_fall(series);
  if (!known) return false;
  const detail::Fall whole = *known;
  const bool is_far_above = series.first > 0 && whole.to > 10 * series.first;
  const bool is_above = is_far_above || (whole.to > 1.2 * whole.from && whole.at_most() < 0);
  const bool is_flat = detail::is_flat(whole);
  const bool is_entropy = series.kind == LossKind::cross_entropy;
  const bool is_at_chance = (is_entropy || series.kind == LossKind::unknown) && detail::is_log_of_classes(whole.to);
  // No sane initialisation begins above the logarithm of 200 000 classes, and no training stays there.
  const bool is_absurd = is_entropy && ((series.first > 12.2 && whole.to > 5) || whole.to > 12.2);
  // Fine-tuning begins where the right class is likely: above 1, its probability is below 37 % on average.
  const bool is_unlikely = is_entropy && whole.to > 1;
  const bool is_like_constant = detail::is_error_of_constant(series.kind, whole) ||
                                detail::is_constant_since_start(series, is_entropy || series.kind == LossKind::unknown);
  if (!is_above && !is_flat && !is_absurd && !is_like_constant) return false;
  const bool is_error = is_above || is_absurd || is_unlikely || is_at_chance || is_like_constant;
  found.severity = is_error ? Severity::error : Severity::advice;
  found.threshold = whole.from;
  found.message = "the mean of its last values is " + shortest(whole.to) + ", and that of its first ones was " +
                  shortest(whole.from) +
                  "; check the learning rate and the labels; save labels, or set chance, for a clearer verdict";
  return true;
}

TENSORTAP_INLINE std::vector<Finding> LossNotDecreasing::judge_past(const JudgedStep& step) {
  const Mode at_mode = step.step().mode;
  if (!mode.empty() && parse_mode(mode) != at_mode && parse_mode(mode) != Mode::global) return {};
  const bool is_global = parse_mode(mode) == Mode::global;
  const std::int64_t at = is_global ? step.step().global_step : step.step().mode_step;
  const std::optional<Pattern> wanted = tensor_regex.empty() ? std::nullopt : std::optional<Pattern>(tensor_regex);
  std::vector<Finding> out;
  for (const KnownTensor* tensor : step.saved()) {
    const bool is_loss = use_losses_collection && tensor->role == Role::loss;
    if (!is_loss && !(wanted && wanted->finds(tensor->name))) continue;
    const auto now = detail::loss_in(step, *tensor);
    if (!now || !std::isfinite(*now)) continue;
    const std::size_t place = tensor->id * 4 + index_of(is_global ? Mode::global : at_mode);
    if (place >= state.past.size()) state.past.resize(place + 1);
    Past& past = state.past[place];
    if (past.last_check < 0) past.last_check = at;
    // The newest value that is old enough stays; older ones are never compared again.
    std::size_t old = 0;
    while (old + 1 < past.steps.size() && past.steps[old + 1] <= at - num_steps) ++old;
    const auto drop = static_cast<std::ptrdiff_t>(old);
    past.steps.erase(past.steps.begin(), past.steps.begin() + drop);
    past.values.erase(past.values.begin(), past.values.begin() + drop);
    if (at - past.last_check >= num_steps && !past.steps.empty() && past.steps.front() <= at - num_steps) {
      past.last_check = at;
      const double before = past.values.front();
      const double size = std::abs(before) / 100;
      const bool is_tolerated = *now > before && *now <= before + increase_threshold_percent * size;
      if (*now >= before - diff_percent * size && !is_tolerated)
        out.push_back({.tensor = tensor->name,
                       .value = *now,
                       .threshold = before - diff_percent * size,
                       .message = "it is " + shortest(*now) + ", and was " + shortest(before) + " in step " +
                                  std::to_string(past.steps.front()) + "; it has not fallen by " +
                                  shortest(diff_percent) + " %"});
    }
    past.steps.push_back(at);
    past.values.push_back(*now);
  }
  return out;
}

TENSORTAP_INLINE void LossNotDecreasing::visit(ParameterVisitor& visitor) {
  visitor("chance", chance, "the loss of the best constant prediction; empty: as the run tells");
  visitor("share", share, "a loss above this share of chance is a finding");
  visitor("start", start, "the first step of a check");
  visitor("interval", interval, "steps between checks");
  visitor("patience", patience, "checks in a row");
  visitor("against_past", against_past, "true: the condition of smdebug, with the parameters below");
  visitor("num_steps", num_steps, "steps between values that are compared");
  visitor("diff_percent", diff_percent, "the least fall, in percent");
  visitor("increase_threshold_percent", increase_threshold_percent, "a tolerated rise, in percent");
  visitor("use_losses_collection", use_losses_collection, "whether losses are judged, beside tensor_regex");
  visitor("tensor_regex", tensor_regex, "names of more tensors; empty: none");
  visitor("mode", mode, "TRAIN, EVAL, PREDICT or GLOBAL; empty: each mode by itself");
}

TENSORTAP_END_NAMESPACE
