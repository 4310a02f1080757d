// Finds gradients that are too small to learn from.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::VanishingGradient{.threshold = 1e-7}});
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds every tensor of a collection, in every step, whose mean magnitude is below a threshold.
/// Numeric: a tensor that holds NaN or an infinity is skipped.
/// Empty: skipped.
/// Source: SageMaker Debugger's VanishingGradient and its defaults.
struct VanishingGradient {
  static constexpr std::string_view name = "VanishingGradient";
  static constexpr std::string_view condition = "the mean magnitude of a gradient is below threshold";
  static constexpr std::string_view needs = "gradients: abs_mean, statistics or elements";
  static constexpr std::string_view source = "SageMaker Debugger";

  double threshold = 1e-7;               ///< a mean magnitude equal to it is not a finding
  std::string collection = "gradients";  ///< the tensors
  SaveConfig save = every(500);          ///< when `required_by` asks for them

  /// Asks for the mean magnitude only; the rule also accepts statistics or elements.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the threshold is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step) const;

  void visit(ParameterVisitor& visitor);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/vanishing_gradient_impl.hpp>
#endif
