// Finds tensors whose variance is too large or too small.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::TensorVariance{.max_threshold = 100}});
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/tensor_choice.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds tensors whose variance is above one threshold or below another. Without thresholds it looks at nothing.
/// Numeric: a tensor that holds NaN or an infinity is skipped.
/// Empty: skipped.
/// Source: SageMaker Debugger's TensorVariance and its defaults.
struct TensorVariance {
  static constexpr std::string_view name = "TensorVariance";
  static constexpr std::string_view condition =
      "the variance of a tensor is above max_threshold or below min_threshold";
  static constexpr std::string_view needs = "a threshold, and the tensors: statistics, variance, std or elements";
  static constexpr std::string_view source = "SageMaker Debugger";
  static constexpr double off = std::numeric_limits<double>::quiet_NaN();

  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names of tensors. Empty, as collection_names: all tensors
  double max_threshold = off;         ///< a variance above it is a finding; NaN: off
  double min_threshold = off;         ///< a variance below it is a finding; NaN: off

  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  TensorChoice choice = {};  ///< what the parameters choose
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/tensor_variance_impl.hpp>
#endif
