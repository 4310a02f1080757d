// Finds the first tensors that hold NaN or infinities, and says where.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::ExplodingTensor{}});
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds every tensor with an element that is NaN or infinite. The message gives the place and bits of the first one,
/// and, for the first tensors of a run, which tensors of the step were finite before it.
/// Empty: skipped.
/// Source: SageMaker Debugger's ExplodingTensor and its defaults.
struct ExplodingTensor {
  static constexpr std::string_view name = "ExplodingTensor";
  static constexpr std::string_view condition = "a tensor holds NaN or, unless only_nan, an infinity";
  static constexpr std::string_view needs = "any tensors: statistics, elements or reductions";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::string tensor_regex = {};  ///< names of tensors; empty: all
  bool only_nan = false;          ///< true: an infinity is no finding

  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step) const;

  void visit(ParameterVisitor& visitor);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/exploding_tensor_impl.hpp>
#endif
