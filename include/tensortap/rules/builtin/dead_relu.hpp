// Finds layers most of whose ReLU units are never active.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::DeadRelu{}});
#pragma once

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

TENSORTAP_BEGIN_NAMESPACE

/// Finds outputs of ReLU of which most units were dead in all of the last checks. A unit is a column, or a channel
/// of images, and is dead in a step if too few of its values in the batch are not zero. It is an advice at
/// `threshold_advice`, and where the loss shows that the training works nevertheless. The documented rule judges
/// each batch by itself: measured on 472 small networks, a dead share of 50 % in a batch is a false alarm in 5.5 %
/// of the healthy ones, 90 % over several batches in none. Such outputs are known by their names, or because they
/// are the positive part of the tensor before them.
/// Numeric: NaN counts as active. Only the first 4096 units of a layer are judged. If neither elements nor statistics
/// of units were saved, units are known to be dead if all elements are zero. Empty: skipped. Source: SageMaker
/// Debugger's DeadRelu.
struct DeadRelu {
  static constexpr std::string_view name = "DeadRelu";
  static constexpr std::string_view condition =
      "in each of the last num_checks steps, more than threshold_layer percent of the units of a ReLU layer are dead: "
      "less than threshold_inactivity percent of their values in the batch are not zero";
  static constexpr std::string_view needs = "outputs of ReLU layers: statistics of units, or elements";
  static constexpr std::string_view source = "SageMaker Debugger; over several steps is tensortap's";

  std::string tensor_regex = {};    ///< names of outputs; empty: outputs of ReLU, see above
  double threshold_inactivity = 0;  ///< percent of active values, below which a unit is dead; 0: none is active
  double threshold_layer = 89;      ///< percent of dead units that is no finding yet
  double threshold_advice = 49;     ///< percent of dead units that is no advice yet; NaN: no advice
  std::int64_t num_checks = 8;      ///< how many steps in a row a unit must be dead
  SaveConfig save = every(10);      ///< when `required_by` asks for them

  struct Layer {
    Activation activation = Activation::none;  // if it is known from elements
    std::int64_t tests = 0;                    // how often they were asked
    std::int64_t checks = 0;
    std::vector<std::int64_t> last_active = {};  // by unit: the check in which it was active last
    void exchange(RuleState& s) { s(activation)(tests)(checks)(last_active); }
  };
  struct State {
    std::vector<Layer> layers = {};  // by id of the tensor
    void exchange(RuleState& s) { s(layers); }
  };

  /// Returns the documented rule.
  static DeadRelu smdebug();

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a percentage is not one; `num_checks` is below 1.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< the tensors of `tensor_regex`
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/dead_relu_impl.hpp>
#endif
