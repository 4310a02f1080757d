// Finds single values of a loss that are far above the usual ones.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::LossSpike{.deviations = 8}});
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds a training loss above the median of the 127 values before it by more than `deviations` robust standard
/// deviations (1.4826 times the median distance from the median), once there are `start` values. So that a loss near 0
/// is not found for its noise, the excess is also at least a twentieth of the first loss.
/// Numeric: NaN and infinities are left out; LossDiverging finds them.
/// Source: ours; OLMo-core and llm.c do much the same with means, which a spike itself shifts.
struct LossSpike {
  static constexpr std::string_view name = "LossSpike";
  static constexpr std::string_view condition = "a value of the loss is far above the usual ones";
  static constexpr std::string_view needs = "losses: elements, statistics or mean";
  static constexpr std::string_view source = "tensortap";

  double deviations = 6;    ///< above the median
  std::int64_t start = 64;  ///< values before the first verdict

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step) const;

  void visit(ParameterVisitor& visitor);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/loss_spike_impl.hpp>
#endif
