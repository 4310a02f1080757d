// Finds long pauses between steps.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::StalledTrainingRule{.threshold = 600}});
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

/// Finds a step that came more than `threshold` seconds after the one before it, by a scalar of the run that holds the
/// time in seconds. So a stored run gives the same findings as one that is judged while it runs. SageMaker Debugger
/// asks the clock of the rule's own machine whether new tensors have come: a rule that is called with steps cannot know
/// of a step that does not come. `evaluate` with `follow` and a timeout ends then; its parameters stop_training_on_fire
/// and training_job_name_prefix are actions here.
/// Numeric: a time that is not finite, or before the last one, is left out.
/// Source: SageMaker Debugger's StalledTrainingRule.
struct StalledTrainingRule {
  static constexpr std::string_view name = "StalledTrainingRule";
  static constexpr std::string_view condition = "a step came long after the one before it";
  static constexpr std::string_view needs = "a scalar with the time in seconds, named like wall_time or timestamp";
  static constexpr std::string_view source = "SageMaker Debugger; between steps";

  double threshold = 1800;        ///< seconds
  std::string tensor_regex = {};  ///< the name of the time; empty: wall_time or timestamp as a word

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the threshold is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::string tensor = {};  ///< the first one of such a name
    double last = -1;         ///< seconds; -1: none yet
    std::int64_t names = 0;   ///< tensors that were looked at
    void exchange(RuleState& s) { s(tensor)(last)(names); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/stalled_training_impl.hpp>
#endif
