// Finds predictions that are no better than one that is always the same.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::NotBetterThanConstant{}});
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds predictions of classes that are right no more often than the most frequent label with `deviations` standard
/// errors added, or, if that label is more frequent than 70 %, than predictions that do not depend on the labels; and
/// predictions of numbers whose squared error is at least 98 % of the variance of the labels. In blocks of at least 200
/// examples, 20 of them with other labels than the most frequent one; after global step `start`, `patience` blocks in a
/// row of one mode.
/// Source: ours; measured on 472 small networks: 65 % of those that did not learn, none of those that did.
struct NotBetterThanConstant {
  static constexpr std::string_view name = "NotBetterThanConstant";
  static constexpr std::string_view condition = "predictions are no better than one that is always the same";
  static constexpr std::string_view needs = "labels and predictions: elements";
  static constexpr std::string_view source = "tensortap";

  double deviations = 3;      ///< standard errors
  std::int64_t start = 60;    ///< the global step after which blocks count
  std::int64_t patience = 2;  ///< blocks in a row

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return true; }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::vector<std::int64_t> bad_blocks = std::vector<std::int64_t>(4);  ///< in a row, by mode
    void exchange(RuleState& s) { s(bad_blocks); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/not_better_than_constant_impl.hpp>
#endif
