// Finds weights that have a gradient and never change: a learning rate of 0, an optimizer that was given other
// parameters, a layer that was forgotten.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::UpdateMissing{}});
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
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What rules of missing updates remember of a weight.
struct StillWeight {
  enum class Gradient : std::uint8_t { unknown, tiny, counts };

  double peak = 0;                        ///< the largest size of the gradient, which slowly decays
  double size = 0;                        ///< its last size
  Gradient gradient = Gradient::unknown;  ///< what it was since the last pair of steps was judged
  std::int64_t checks = 0;                ///< pairs in a row that were equal although the gradient counts
  std::int64_t since = 0;                 ///< the mode step in which the first of them began
  void exchange(RuleState& s) { s(peak)(size)(gradient)(checks)(since); }
};

/// Finds weights that have not changed since the first step that saved them, in some pairs of steps, although their
/// gradient is not small. A weight without a gradient is frozen by design. If no gradient was ever saved, and no weight
/// changes in steps of training, the first weight is found. It is an advice if the loss shows that the training works
/// nevertheless. Gradients of less than 1 % of their peak, or 1e-6 of the largest one, do not count: such an update can
/// be less than a bit of the weights. Accumulation over as many as `min_steps` steps is no finding.
/// Numeric: a gradient that is not finite does not count.
/// Empty: skipped.
/// Source: TrainCheck.
struct UpdateMissing {
  static constexpr std::string_view name = "UpdateMissing";
  static constexpr std::string_view condition =
      "no bit of a weight with a gradient has ever changed, in num_checks pairs of steps and min_steps steps";
  static constexpr std::string_view needs = "weights and gradients: statistics, several reductions or elements";
  static constexpr std::string_view source = "TrainCheck";

  std::int64_t num_checks = 3;  ///< least number of pairs of steps
  std::int64_t min_steps = 40;  ///< least number of steps between the first and the last
  SaveConfig save = every(10);  ///< when `required_by` asks for them

  struct State {
    std::vector<StillWeight> weights = {};  // by id
    bool has_gradients = false;
    void exchange(RuleState& s) { s(weights)(has_gradients); }
  };

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: `num_checks` is below 1.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/update_missing_impl.hpp>
#endif
