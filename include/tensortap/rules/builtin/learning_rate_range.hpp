// Finds learning rates that are hardly meant.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::LearningRateRange{.largest = 0.1}});
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

/// Gives the advice to look at a learning rate outside of [`smallest`, `largest`], `patience` values in a row.
/// Schedules pass through 0 at their ends, for a few steps.
/// Source: UMLAUT, with wider limits: rates of 0.1 are usual without adaptive optimisers.
struct LearningRateRange {
  static constexpr std::string_view name = "LearningRateRange";
  static constexpr std::string_view condition = "a learning rate is very small or very large";
  static constexpr std::string_view needs = "a scalar named like lr or learning_rate";
  static constexpr std::string_view source = "UMLAUT; with wider limits";

  std::string tensor_regex = {};  ///< names of learning rates; empty: lr or learning_rate as a word
  double smallest = 1e-7;         ///< a rate below it is a finding
  double largest = 1;             ///< a rate above it is a finding
  std::int64_t patience = 10;     ///< values in a row

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::vector<std::int64_t> in_a_row = {};  ///< by tensor; -1: not a learning rate
    void exchange(RuleState& s) { s(in_a_row); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/learning_rate_range_impl.hpp>
#endif
