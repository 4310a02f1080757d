// Finds gradients that are too small to learn from.
//
//   const auto findings = tensortap::evaluate(trial, {tensortap::VanishingGradient{.threshold = 1e-7}});
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds every tensor of a collection, in every step, whose mean magnitude is below a threshold.
/// Numeric: a tensor that holds NaN or an infinity is skipped.
/// Empty: skipped.
/// Source: SageMaker Debugger's VanishingGradient and its defaults.
struct VanishingGradient {
  static constexpr std::string_view name = "VanishingGradient";

  double threshold = 1e-7;               ///< a mean magnitude equal to it is not a finding
  std::string collection = "gradients";  ///< the tensors
  SaveConfig save = every(500);          ///< when `required_by` asks for them

  /// Asks for the mean magnitude only; the rule also accepts statistics or elements.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the threshold is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const StepView& step) const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/vanishing_gradient_impl.hpp>
#endif
