// Finds gradients that grow far beyond what they were, while the loss rises.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::ExplodingGradient{}});
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

/// Finds gradients with an element that is not finite, and the largest gradient of a step if it was more than `factor`
/// times its running median in each of some steps while the loss is above its best.
/// Numeric: NaN and infinities never enter the median.
/// Empty: skipped.
struct ExplodingGradient {
  static constexpr std::string_view name = "ExplodingGradient";
  static constexpr std::string_view condition =
      "a gradient is not finite, or the largest one is above factor times its running median in num_checks steps in a "
      "row while the loss rises";
  static constexpr std::string_view needs = "gradients: statistics, mean and std, abs_mean, or elements";
  static constexpr std::string_view source = "tensortap";

  double factor = 10;           ///< a multiple of the running median; equal to it is no finding
  std::int64_t num_checks = 5;  ///< how many steps in a row
  SaveConfig save = every(10);  ///< when `required_by` asks for them

  struct State {
    RecentWindow sizes = {};
    std::int64_t above = 0;  // how many steps in a row were above the limit
    void exchange(RuleState& s) { s(sizes)(above); }
  };

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the factor is not positive.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/exploding_gradient_impl.hpp>
#endif
