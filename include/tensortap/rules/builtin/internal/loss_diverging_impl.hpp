// The bodies of loss_diverging.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
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
