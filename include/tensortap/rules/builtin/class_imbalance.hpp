// Finds classes that are rare, and classes that a network gets wrong.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::ClassImbalance{}});
//   const auto literal = tensortap::evaluate(trial, {tensortap::ClassImbalance::smdebug()});
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

/// Finds classes of which more than `threshold_misprediction` of the predictions are wrong although others are mostly
/// right, in each of the last two windows of `samples` labels of one mode after step `start`; of at least 20 labels
/// each. It is an error in evaluations where the class is not rare, nearly all are wrong, and the training loss has
/// fallen below 30 % of its first value, so that the class is hardly learned later; else an advice. A window
/// with one class alone is an error, too. One class being more than `threshold_imbalance` times as frequent as another
/// is an advice: much real data is so, and is learned well.
///
/// `smdebug()` is the documented condition: the same limits over all labels since the beginning, once there are
/// `samples` of them, as errors. The mistakes of the first steps then count for ever: it fires on most healthy runs.
/// Source: SageMaker Debugger's ClassImbalance. Its parameter argmax is not needed: rows of several predictions for
/// each label are scores.
struct ClassImbalance {
  static constexpr std::string_view name = "ClassImbalance";
  static constexpr std::string_view condition = "a class is much rarer than another, or almost always mispredicted";
  static constexpr std::string_view needs = "labels and predictions: elements, or counts of classes";
  static constexpr std::string_view source = "SageMaker Debugger; in windows";

  double threshold_imbalance = 10;       ///< the largest count of a class over the smallest
  double threshold_misprediction = 0.7;  ///< wrong predictions over all of a class
  std::int64_t samples = 500;            ///< labels in a window, or before the first verdict
  std::int64_t start = 100;              ///< the global step after which windows count
  bool since_beginning = false;          ///< true: smdebug's condition
  std::string labels_regex = {};         ///< the tensor of labels, as `.*labels`; empty: as its name tells
  std::string predictions_regex = {};    ///< that of predictions

  [[nodiscard]] static ClassImbalance smdebug() {
    ClassImbalance out;
    out.start = 0;
    out.since_beginning = true;
    return out;
  }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  /// Counts by class.
  struct Counts {
    std::vector<std::int64_t> labels = {}, predicted = {}, right = {};
    std::vector<std::uint8_t> was_bad = {};  ///< in the window before
    std::int64_t total = 0;
    void exchange(RuleState& s) { s(labels)(predicted)(right)(was_bad)(total); }
  };
  struct State {
    std::vector<Counts> windows = std::vector<Counts>(4);  ///< by mode
    void exchange(RuleState& s) { s(windows); }
  };
  State state = {};

 private:
  void judge(const JudgedStep& step, Counts& counts, std::vector<Finding>& out) const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/class_imbalance_impl.hpp>
#endif
