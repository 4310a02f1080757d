// Finds tanh and sigmoid layers most of whose units are saturated, so that no gradient passes them.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::SaturatedActivation{}});
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds layers of which most units were saturated in all of the last checks: too few of their inputs lie between
/// two limits. By default the limits are where the slope falls to 1e-3 of the largest; if outputs are saved, these
/// are judged, with the same limits. It is an error if a weight has less than 1e-3 of the largest gradient or the
/// loss is that of a constant prediction, and the training does not work nevertheless; else an advice. Predictions
/// are left out: a confident sigmoid is saturated. The documented limits are where the slope is 1e-7: a layer of
/// tanh must have inputs beyond 9.5, far beyond those that stop its learning. Units are those of DeadRelu.
/// Statistics of units have the counts for the default limits; other limits need the elements.
/// Numeric: NaN is not between the limits.
/// Empty: skipped.
/// Source: SageMaker Debugger's SaturatedActivation.
struct SaturatedActivation {
  static constexpr std::string_view name = "SaturatedActivation";
  static constexpr std::string_view condition =
      "in each of the last num_checks steps, more than threshold_layer percent of the units of a tanh or sigmoid layer "
      "are saturated: less than threshold_inactivity percent of their inputs lie between the limits";
  static constexpr std::string_view needs =
      "inputs or outputs of tanh and sigmoid layers: statistics of units and of all, or elements";
  static constexpr std::string_view source = "SageMaker Debugger; outputs and several steps are tensortap's";

  std::string tensor_regex = {};                                  ///< names of inputs; empty: see above
  double threshold_tanh_min = -UnitStatistics::tanh_input;        ///< a lower input of tanh is saturated
  double threshold_tanh_max = UnitStatistics::tanh_input;         ///< a higher input of tanh is saturated
  double threshold_sigmoid_min = -UnitStatistics::sigmoid_input;  ///< a lower input of sigmoid is saturated
  double threshold_sigmoid_max = UnitStatistics::sigmoid_input;   ///< a higher input of sigmoid is saturated
  double threshold_inactivity = 20;  ///< percent of inputs between the limits, below which a unit is saturated
  double threshold_layer = 49;       ///< percent of saturated units that is no finding yet
  double gradient_ratio = 1e-3;      ///< a weight with less of the largest gradient does not learn; NaN: ignore
  std::int64_t num_checks = 8;       ///< how many steps in a row a unit must be saturated
  SaveConfig save = every(10);       ///< when `required_by` asks for them

  struct Layer {
    Activation activation = Activation::none;  // if it is known from elements
    std::int64_t tests = 0;                    // how often they were asked
    std::int64_t checks = 0;
    std::vector<std::int64_t> last_active = {};  // by unit: the check in which it was not saturated last
    void exchange(RuleState& s) { s(activation)(tests)(checks)(last_active); }
  };
  struct State {
    std::vector<Layer> layers = {};  // by id of the tensor
    void exchange(RuleState& s) { s(layers); }
  };

  /// Returns the documented rule, whose findings are errors.
  static SaturatedActivation smdebug();

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a percentage is not one; `num_checks` is below 1; a limit is NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// Returns whether the limits are those for which statistics of units have counts.
  [[nodiscard]] bool has_usual_limits() const noexcept;

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< the tensors of `tensor_regex`

 private:
  /// Counts the elements of each unit between the limits. Returns how many elements a unit has; 0: it is not known.
  [[nodiscard]] std::size_t count_unsaturated(const JudgedStep& step, const KnownTensor& tensor, bool is_tanh,
                                              bool is_output, std::vector<std::size_t>& counts) const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/saturated_activation_impl.hpp>
#endif
