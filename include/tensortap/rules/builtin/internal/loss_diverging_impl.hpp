// The bodies of loss_diverging.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/loss_diverging.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether three values in a row are below zero, more than rounding explains, of a loss that cannot be. A
/// negative logarithm of a likelihood can.
inline bool is_below_zero(const LossSeries& series) {
  constexpr double rounding = -1e-3;
  const bool is_positive =
      series.kind != LossKind::unknown && series.kind != LossKind::other && !contains_in_any_case(series.tensor, "nll");
  if (!is_positive || series.kept() < 3) return false;
  return series.before(0) < rounding && series.before(1) < rounding && series.before(2) < rounding;
}

/// Returns the change from the second to the last quarter of a loss that has risen, with 99 % confidence, from the
/// second quarter of the run to the third, and from that to the last.
inline std::optional<Fall> lasting_rise(const LossHistory& history) {
  const std::span<const double> means = history.means;
  const std::size_t quarter = means.size() / 4;
  if (history.open_count != 0 || quarter < 6) return std::nullopt;
  const auto second = means.subspan(quarter, quarter);
  const auto third = means.subspan(2 * quarter, quarter);
  const auto last = means.last(quarter);
  if (fall_between(second, third).at_most() >= 0 || fall_between(third, last).at_most() >= 0) return std::nullopt;
  return fall_between(second, last);
}

/// Returns the mean over the last third of a loss, of at least 40 values and 40 steps; one value counts as `most` at
/// most, so that a few bad batches do not decide.
inline std::optional<double> mean_of_last_third(const LossSeries& series, double most) {
  constexpr std::size_t least = 40;
  const std::size_t size = std::min(static_cast<std::size_t>(series.count) / 3, series.kept());
  if (size < least) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += std::min(series.before(i), most);
  return sum / static_cast<double>(size);
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> LossDiverging::required() const { return {detail::every_loss()}; }

TENSORTAP_INLINE std::vector<Finding> LossDiverging::operator()(const JudgedStep& step) const {
  if (patience < 0) throw Error::bad_threshold(name, static_cast<double>(patience));
  std::vector<Finding> out;
  for (const LossSeries& series : step.facts().losses) {
    if (!series.in_step) continue;
    detail::note_tensor(step, series.tensor);
    if (std::isfinite(series.now)) continue;
    out.push_back({.tensor = series.tensor,
                   .value = series.now,
                   .message = "it is not finite, after " + std::to_string(series.count) +
                              " finite values; lower the learning rate, clip the gradients, look for the first tensor "
                              "that is not finite"});
  }
  const LossSeries& series = step.facts().trained_loss();
  if (!out.empty() || !series.in_step) return out;
  if (detail::is_below_zero(series)) {
    out.push_back({.tensor = series.tensor,
                   .value = series.now,
                   .message = "its last values are below zero, which no such loss is; check its sign"});
    return out;
  }
  const auto rise = detail::lasting_rise(series.history);
  if (rise && rise->to > 1.25 * rise->from && rise->to > 0.25 * step.facts().trained_from()) {
    out.push_back({.tensor = series.tensor,
                   .value = rise->to,
                   .threshold = 1.25 * rise->from,
                   .message = "it has risen since the second quarter of the run, from " + shortest(rise->from) +
                              " to " + shortest(rise->to) +
                              "; lower the learning rate or the weight decay, look whether the data have changed"});
    return out;
  }
  const double from = step.facts().trained_from();
  const auto third =
      series.best_smooth < 0.1 * from ? detail::mean_of_last_third(series, 2 * from) : std::optional<double>();
  if (third && *third > 0.25 * from && series.smooth > 0.2 * from && series.best_smooth < 0.2 * *third &&
      3 * (series.count - series.best_count) >= series.count) {
    out.push_back({.tensor = series.tensor,
                   .value = *third,
                   .threshold = 0.25 * from,
                   .message = "its average over twenty steps has been " + shortest(series.best_smooth) +
                              ", and over the last third of the run it is " + shortest(*third) +
                              "; lower the learning rate or clip the gradients"});
    return out;
  }
  const std::int64_t steps = series.last_mode_step - series.above_since;
  if (series.above_best < patience && !(series.above_best >= 4 && steps >= 3 * patience)) return out;
  const auto level = detail::chance_level(step, chance);
  const double limit = level ? *level : series.first;
  // One bad batch keeps the average up for long, but not the median.
  std::array<double, 9> last = {};
  const std::size_t size = std::min(series.kept(), last.size());
  for (std::size_t i = 0; i < size; ++i) last[i] = series.before(i);
  const double usual = std::min(series.smooth, detail::median_of(std::span(last).first(size)));
  if (!(usual > limit && usual > 2 * series.best_smooth)) return out;
  out.push_back({.tensor = series.tensor,
                 .value = usual,
                 .threshold = std::max(limit, 2 * series.best_smooth),
                 .message = "its last values are about " + shortest(usual) + ", and its average has been " +
                            shortest(series.best_smooth) + "; " +
                            (level ? "a constant prediction reaches " : "it began at ") + shortest(limit) +
                            "; lower the learning rate or clip the gradients"});
  return out;
}

TENSORTAP_INLINE void LossDiverging::visit(ParameterVisitor& visitor) {
  visitor("chance", chance, "the loss of the best constant prediction; empty: as the run tells");
  visitor("patience", patience, "values in a row that are far above the least");
}

TENSORTAP_END_NAMESPACE
