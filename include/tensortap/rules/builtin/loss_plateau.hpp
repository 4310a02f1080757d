// Finds a loss that has stopped falling far above 0.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::LossPlateau{.error_share = 0.7}});
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds a training loss that has fallen, and stopped between 0 and the level of a constant prediction ("chance"): its
/// mean over the last quarter of the run so far is, with 99 % confidence, less than 10 % below that of the quarter
/// before, or less than 20 % below that of the second quarter. From step `start` on, every 20 steps, later whenever the
/// run is a tenth longer, twice in a row. Above `advice_share` of chance it is an advice. If labels are noisy, no
/// training goes below a certain loss: the rule is silent while predictions are right much more often than a constant
/// one, unless 30 % of wrong labels do not explain so few right ones, or nearly all are right. It is an error above
/// `error_share` of chance if 30 % of wrong labels do not explain it: a cross entropy is above that of perfect
/// predictions of such labels, or fewer than 70 % of the predictions are right; of other losses, if there are
/// predictions. Where an example has several labels, or there are as many classes as rows of an embedding, the next
/// token is uncertain by itself, and a plateau is an advice only. It is an error above `advice_share`, too, if an
/// average over 20 steps was below 60 % of the plateau once: no noise of labels explains that. If the level of chance
/// of a regression is unknown, and the weights were new in the first step, its first values are that level: a network
/// that knows nothing is no better than a constant. Empty: without such a level, or with fewer than 16 values, it finds
/// nothing. Source: ours; measured on 472 small networks: 75 % of those that did not learn, none of those that did.
struct LossPlateau {
  static constexpr std::string_view name = "LossPlateau";
  static constexpr std::string_view condition =
      "the loss has stopped falling at a large share of a constant prediction's";
  static constexpr std::string_view needs = "losses: elements, statistics or mean; labels and predictions: elements";
  static constexpr std::string_view source = "tensortap";

  double chance =
      std::numeric_limits<double>::quiet_NaN();  ///< the loss of the best constant prediction; NaN: as the run tells
  double error_share = 0.5;                      ///< of chance
  double advice_share = 0.3;                     ///< of chance
  std::int64_t start = 100;                      ///< the first mode step of a check

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return true; }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::int64_t next_check = 0;
    std::int64_t flat_checks = 0;
    void exchange(RuleState& s) { s(next_check)(flat_checks); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/loss_plateau_impl.hpp>
#endif
