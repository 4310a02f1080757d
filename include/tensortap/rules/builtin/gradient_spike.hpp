// Finds steps whose gradient is far larger than those before.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::GradientSpike{}});
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/recent_window.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// An advice for each step whose largest gradient is far above the last ones: by more than `num_sigma` standard
/// deviations, and to more than three times their median. The deviation comes from the median distance to the median,
/// so that one spike does not hide the next. It must be above the median of the first ones, too: the gradient of a loss
/// that is almost zero is noise.
/// Numeric: NaN and infinities never enter the window.
/// Empty: skipped.
/// Source: OLMo-core's and llm.c's watch of the gradient norm over 128 steps.
struct GradientSpike {
  static constexpr std::string_view name = "GradientSpike";
  static constexpr std::string_view condition =
      "the largest gradient is num_sigma robust standard deviations above the median of the last 128 steps, and three "
      "times it";
  static constexpr std::string_view needs = "gradients: statistics, mean and std, abs_mean, or elements";
  static constexpr std::string_view source = "OLMo-core, llm.c";

  double num_sigma = 6;          ///< standard deviations; equal to it is no finding
  std::int64_t min_checks = 64;  ///< how many steps are needed first, at most 128
  SaveConfig save = every(1);    ///< when `required_by` asks for them

  struct State {
    RecentWindow sizes = {};
    double early = 0;  // their median when there were enough
    void exchange(RuleState& s) { s(sizes)(early); }
  };

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: `num_sigma` is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/gradient_spike_impl.hpp>
#endif
