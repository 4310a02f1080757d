// Finds a loss that training does not bring down.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::LossNotDecreasing{}});
//   const auto literal = tensortap::evaluate(trial, {tensortap::LossNotDecreasing::smdebug()});
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

struct LossSeries;

/// Finds a training loss that stays at the level of the best constant prediction, its "chance": from step `start` on,
/// every `interval` steps, the mean of the last values is above `share` of chance, `patience` times in a row, or twice
/// as often if it is below 98.5 % of chance; single values count as twice chance at most. It waits while the loss,
/// below chance, falls fast enough to be below that level after as many steps again, or predictions are right much more
/// often than a constant one; not if nearly all are right, as noisy labels do not explain such a loss. Chance comes
/// from the parameter, from the labels that are saved, or from the number of classes. Without it, a loss that is
/// clearly above its first values is an error; one that has clearly not fallen is an error if it is a cross entropy
/// above 1 or at the logarithm of a small number of classes, or an error of regression that is at least what a constant
/// prediction reaches for labels of mean 0 and variance 1; else an advice, as fine-tuning looks the same. If the
/// weights were new in the first step, a loss that has not fallen is an error in any case, from twice `start` on, by 15
/// % if chance is unknown; so is one that began below 1 % of chance, or an error of regression below 0.003, and has not
/// halved: new weights are no better than chance, so that the loss is scaled, and an optimizer that depends on the
/// scale does not learn. Where chance is unknown, a loss that has been flat since the first fifth of the run is judged
/// as one that was flat from its beginning: a bad start is forgotten, except that an error of regression that began
/// more than 5 times above it, or 2.5 times above it if it is larger than of labels of variance 1, may have fallen to
/// the noise of large labels. A loss of which fewer values are saved than there are checks needs fewer of them, over as
/// many steps, and above 150 % of chance one.
///
/// `smdebug()` compares a loss with its own past, as documented: every `num_steps`, with the newest value at least
/// `num_steps` older; it fires if the loss has not fallen by `diff_percent`, unless it has risen by no more than
/// `increase_threshold_percent`. A test of smdebug in 2019 used diff_percent as a tolerated rise; the documentation has
/// it the other way round, and so has this rule. Measured on synthetic losses of 120 to 240 steps: the documented set
/// fires on 95 to 100 % of healthy ones, ours on 0 to 0.8 %, and on more than 99 % of those that stay at chance.
/// Numeric: NaN and infinities are left out.
/// Source: SageMaker Debugger's LossNotDecreasing; the level of chance is ours.
struct LossNotDecreasing {
  static constexpr std::string_view name = "LossNotDecreasing";
  static constexpr std::string_view condition = "the loss stays at the level of a constant prediction";
  static constexpr std::string_view needs = "losses: elements, statistics or mean; labels for the level of chance";
  static constexpr std::string_view source = "SageMaker Debugger; with a level of chance";

  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  double chance = unknown;                ///< the loss of the best constant prediction; NaN: as the run tells
  double share = 0.9;                     ///< of chance
  std::int64_t start = 40;                ///< the first mode step of a check
  std::int64_t interval = 5;              ///< mode steps between checks
  std::int64_t patience = 3;              ///< checks in a row
  bool against_past = false;              ///< true: smdebug's condition, which the parameters below belong to
  std::int64_t num_steps = 10;            ///< steps between the values that are compared
  double diff_percent = 0.1;              ///< the least fall
  double increase_threshold_percent = 5;  ///< a rise that is tolerated
  bool use_losses_collection = true;      ///< whether losses are judged, beside the names below
  std::string tensor_regex = {};          ///< names of more tensors; empty: none
  std::string mode = {};                  ///< TRAIN, EVAL, PREDICT or GLOBAL; empty: each mode by itself

  [[nodiscard]] static LossNotDecreasing smdebug() {
    LossNotDecreasing out;
    out.against_past = true;
    return out;
  }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN; there is no such mode.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return !against_past; }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  /// The values of a tensor in one mode that may be compared with later ones.
  struct Past {
    std::vector<std::int64_t> steps = {};
    std::vector<double> values = {};
    std::int64_t last_check = -1;
    void exchange(RuleState& s) { s(steps)(values)(last_check); }
  };

  struct State {
    std::int64_t next_check = 0;
    std::int64_t bad_checks = 0;  ///< in a row
    std::vector<Past> past = {};  ///< by tensor and mode
    void exchange(RuleState& s) { s(next_check)(bad_checks)(past); }
  };
  State state = {};

 private:
  [[nodiscard]] std::vector<Finding> judge_level(const JudgedStep& step);
  [[nodiscard]] bool judge_without_chance(const LossSeries& series, Finding& found) const;
  [[nodiscard]] std::vector<Finding> judge_past(const JudgedStep& step);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/loss_not_decreasing_impl.hpp>
#endif
