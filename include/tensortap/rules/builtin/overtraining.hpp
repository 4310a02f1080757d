// Finds a training that continues although the losses no longer improve.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::Overtraining{}});
//   const auto literal = tensortap::evaluate(trial, {tensortap::Overtraining::smdebug()});
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

/// Gives the advice to stop when the average validation loss has been above its best by more than `delta` for
/// `patience_validation` values in a row.
///
/// `smdebug()` is the documented condition, an error: the training loss has not improved on its best by `delta` for
/// `patience_train` values, or the validation loss for `patience_validation`. Single values are noisy: of the losses of
/// batches, more than five in a row are no new best in any training, so that it fires on all healthy runs.
/// Numeric: NaN and infinities are left out.
/// Source: SageMaker Debugger's Overtraining.
struct Overtraining {
  static constexpr std::string_view name = "Overtraining";
  static constexpr std::string_view condition = "the validation loss has not improved for long";
  static constexpr std::string_view needs = "losses of TRAIN and EVAL: elements, statistics or mean";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::int64_t patience_train = 0;        ///< values of training; 0: they do not count
  std::int64_t patience_validation = 20;  ///< values of validation
  double delta = 0.01;                    ///< the least improvement
  bool of_averages = true;                ///< whether averages are judged; false: single values, as smdebug does

  [[nodiscard]] static Overtraining smdebug() {
    Overtraining out;
    out.patience_train = 5;
    out.patience_validation = 10;
    out.of_averages = false;
    return out;
  }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  /// The best value of a series, and how many later ones were no improvement.
  struct Best {
    double value = std::numeric_limits<double>::infinity();
    std::int64_t without_better = 0;
    void exchange(RuleState& s) { s(value)(without_better); }
  };
  struct State {
    Best train = {}, validation = {};
    void exchange(RuleState& s) { s(train)(validation); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/overtraining_impl.hpp>
#endif
