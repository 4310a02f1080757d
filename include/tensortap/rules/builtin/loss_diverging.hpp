// Finds a loss that runs away, or is not a number.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::LossDiverging{.patience = 20}});
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds a loss of any mode that is NaN or infinite; and a training loss whose average over about 20 steps is more than
/// twice the least such average for `patience` values in a row, or for 4 values and three times as many steps, and
/// above the level of a constant prediction; above the first value if that level is unknown. The median of the last 9
/// values is so, too: one bad batch is no divergence. Or the loss has risen, with 99 % confidence, from the second
/// quarter of the run to the third and to the last, by a quarter in all, and is above a quarter of that level. Or its
/// mean over the last third of the run, of 40 values at least, is above a quarter of that level and five times the
/// least average, which was below a tenth of it before that third, and the average now is above a fifth: single values
/// count as twice that level at most. So a loss near 0, where ratios are noise, is never found, nor one that rises for
/// a moment at a restart. A cross entropy, or a squared or absolute error, is found, too, if three values in a row are
/// below zero: its sign is wrong. Source: ours; measured on synthetic losses: 80 % of those that diverge, and no
/// healthy one.
struct LossDiverging {
  static constexpr std::string_view name = "LossDiverging";
  static constexpr std::string_view condition =
      "the loss is not finite, below zero, or far above its least and a constant prediction's";
  static constexpr std::string_view needs = "losses: elements, statistics or mean";
  static constexpr std::string_view source = "tensortap";

  double chance =
      std::numeric_limits<double>::quiet_NaN();  ///< the loss of the best constant prediction; NaN: as the run tells
  std::int64_t patience = 10;                    ///< values in a row

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: patience is negative.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step) const;

  void visit(ParameterVisitor& visitor);
  /// A training whose loss falls again has recovered from a finite one.
  [[nodiscard]] bool recovers() const { return true; }
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/loss_diverging_impl.hpp>
#endif
