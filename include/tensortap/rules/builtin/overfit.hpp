// Finds a network that knows its training examples and not much more.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::Overfit{}});
//   const auto literal = tensortap::evaluate(trial, {tensortap::Overfit::smdebug()});
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

/// Finds a validation loss that is clearly worse than the training loss, `patience` EVAL values in a row. The scale is
/// the loss of the best constant prediction ("chance"), or the first training loss if that is unknown or chance is
/// below 5 % of it, as of labels that are nearly all the same. The average training loss is below half of the scale, or
/// a tenth of the validation loss; below 90 % of the scale, if the validation loss is above it. The average validation
/// loss is above the training loss by `gap_share` of the scale, and above the scale or above its own best by
/// `rise_share` of the scale. Or the examples are known by heart: the training loss is below 15 % of the validation
/// loss, and that above `gap_share` of the scale (half of it, if the scale is the first error of regression of new
/// weights, and the training loss below 1 % of that), unless labels and predictions of the validation show that most of
/// them are right. A gap of half as much is an advice.
///
/// `smdebug()` is the documented condition: (mean EVAL loss - mean TRAIN loss) / mean TRAIN loss > `ratio_threshold`,
/// with the means over the losses of the step and of the last TRAIN step. Near the end of a good training the loss is
/// so small that noise exceeds 10 %: on runs of the zoo in `tests/rules`, it fires on most healthy ones.
/// Numeric: NaN and infinities are left out. A training loss of exactly 0 makes the ratio infinite.
/// Source: SageMaker Debugger's Overfit; the scale is ours.
struct Overfit {
  static constexpr std::string_view name = "Overfit";
  static constexpr std::string_view condition =
      "the validation loss is much larger than the training loss, and bad or rising";
  static constexpr std::string_view needs = "losses of TRAIN and EVAL: elements, statistics or mean";
  static constexpr std::string_view source = "SageMaker Debugger; with a scale";

  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  std::string tensor_regex = {};  ///< losses; empty: the collection
  std::int64_t start_step = 0;    ///< the first EVAL step that counts
  std::int64_t patience = 2;      ///< EVAL values in a row
  double ratio_threshold = 0.1;   ///< of the difference to the training loss
  bool by_ratio = false;          ///< true: smdebug's condition
  double chance = unknown;        ///< the loss of the best constant prediction; NaN: as the run tells
  double gap_share = 0.5;         ///< of the scale
  double rise_share = 0.25;       ///< of the scale

  [[nodiscard]] static Overfit smdebug() {
    Overfit out;
    out.patience = 1;
    out.by_ratio = true;
    return out;
  }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::int64_t in_a_row = 0;
    std::int64_t hints_in_a_row = 0;
    double train_mean = 0;  ///< over the losses of the last TRAIN step
    bool has_train_mean = false;
    void exchange(RuleState& s) { s(in_a_row)(hints_in_a_row)(train_mean)(has_train_mean); }
  };
  State state = {};

 private:
  [[nodiscard]] std::vector<Finding> judge_level(const JudgedStep& step);
  [[nodiscard]] std::vector<Finding> judge_ratio(const JudgedStep& step);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/overfit_impl.hpp>
#endif
