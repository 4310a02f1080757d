// Finds weights that change by too much or by too little in a step.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::WeightUpdateRatio{}});
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/recent_window.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/value_history.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds weights whose change in a step, relative to their size, is too large: the median of the last pairs of
/// steps, after `start_step` steps, because a layer that begins at zero changes by its own size. It is an error, or
/// an advice if the loss shows that the training works nevertheless. Too small a change is an advice if the
/// training does not work: at the end of most schedules, it is healthy. If no weight changes by ten times as much,
/// and the loss is what it was at the beginning, the weight that changes most is an error, unless the loss is below
/// half of its first value, if the weights were new then, or of what a constant prediction reaches, or neither is
/// known: in fine-tuning, it need not move. Of steps that are k apart, the change is divided by k. The documented rule
/// judges each pair of steps by itself, by limits of 10 and 1e-8 that only broken numbers reach; measured on 472 small
/// networks, a ratio above 0.1 finds 14 % of the broken ones at 0.7 % false alarms. Numeric: pairs in which the weights
/// or their change are not finite are left out. Empty: skipped. Source: SageMaker Debugger's WeightUpdateRatio; "mean
/// magnitude of the change by mean magnitude" is the usual reading.
struct WeightUpdateRatio {
  static constexpr std::string_view name = "WeightUpdateRatio";
  static constexpr std::string_view condition =
      "the change of a weight in a step, relative to it, is above large_threshold or below small_threshold, as the "
      "median "
      "of the last 9 pairs of steps";
  static constexpr std::string_view needs = "weights: elements, or statistics, which show large changes only";
  static constexpr std::string_view source = "SageMaker Debugger; the medians are tensortap's";

  std::int64_t num_steps = 0;     ///< compares with the first saved step that is at most so many steps ago; 0: the last
  double large_threshold = 0.1;   ///< a ratio equal to it is no finding
  double small_threshold = 1e-5;  ///< a ratio equal to it is no finding
  double epsilon = 1e-9;          ///< is added to the size of the weights
  std::int64_t num_checks = 5;    ///< least number of pairs, at most 9; 0: each pair by itself, as documented
  std::int64_t start_step = 20;   ///< the first mode step that counts, unless num_checks is 0
  SaveConfig save = every(1);     ///< when `required_by` asks for them

  struct State {
    bool has_trained = false;               // whether there was a step of TRAIN
    std::vector<RecentWindow> ratios = {};  // by id
    std::vector<ValueHistory> values = {};  // by id, if num_checks is 0
    void exchange(RuleState& s) { s(has_trained)(ratios)(values); }
  };

  /// Returns the documented rule, whose findings are errors.
  static WeightUpdateRatio smdebug();

  /// Asks for statistics, which are cheap and show large changes; for elements, if num_checks is 0.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a threshold or a number is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return num_checks > 0; }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};

 private:
  [[nodiscard]] std::size_t needed() const;
  void judge_pair(const JudgedStep& step, const KnownTensor& weight, std::vector<Finding>& out);
  void judge_all(const JudgedStep& step, std::vector<Finding>& out) const;
  void judge_median(const JudgedStep& step, const KnownTensor& weight, std::vector<Finding>& out);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/weight_update_ratio_impl.hpp>
#endif
