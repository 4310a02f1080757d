// Finds tensors that do not change any more.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::UnchangedTensor{}});
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/update_missing.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/rules/value_history.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds weights no bit of which changes in some pairs of steps in a row, although they have a gradient; see
/// UpdateMissing for gradients that do not count. It is an advice if the loss shows that the training works
/// nevertheless, unless no weight has changed for more than half of the training and the loss is above 5 % of what it
/// began with: then most of the run did nothing. So it did if no gradient was saved and no weight changes for as long,
/// or if the losses of a whole cycle of evaluations repeat to the bit. If tensors are chosen, it finds those that
/// `numpy.allclose` calls equal to each of their last `num_steps` - 1 values, whatever they are, as the documented rule
/// does; with small learning rates and the documented tolerances, this finds weights that do change. Chosen tensors
/// with more than 65536 elements are compared by as many evenly spaced ones. Numeric: NaN is equal to NaN only if
/// equal_nan. Empty: equal. Source: SageMaker Debugger's UnchangedTensor.
struct UnchangedTensor {
  static constexpr std::string_view name = "UnchangedTensor";
  static constexpr std::string_view condition =
      "no bit of a weight with a gradient changes in num_steps pairs of steps and min_steps steps; of chosen tensors, "
      "the "
      "last num_steps values are all close";
  static constexpr std::string_view needs = "weights and gradients: statistics or elements; chosen tensors: elements";
  static constexpr std::string_view source = "SageMaker Debugger; with gradients it is tensortap's";

  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names. Empty, as collection_names: weights that have a gradient
  std::int64_t num_steps = 3;         ///< pairs of steps, or values of chosen tensors
  double rtol = 1e-5;                 ///< tolerance relative to the earlier value, of chosen tensors
  double atol = 1e-8;                 ///< absolute tolerance, of chosen tensors
  bool equal_nan = false;             ///< whether NaN is equal to NaN, of chosen tensors
  std::int64_t min_steps = 40;        ///< least number of steps that weights do not change in
  SaveConfig save = every(10);        ///< when `required_by` asks for them

  /// Losses of evaluations that repeat, to the bit, those of a number of values before.
  struct Repeats {
    std::vector<std::int64_t> trained = {};  // the training steps before each value: a ring, as in LossSeries
    std::int64_t lag = 0;                    // values in a cycle
    std::int64_t count = 0;                  // values in a row that repeat another
    std::int64_t since = 0;                  // the training steps before the first value that was repeated
    void exchange(RuleState& s) { s(trained)(lag)(count)(since); }
  };
  struct State {
    std::vector<StillWeight> weights = {};  // by id
    std::vector<ValueHistory> values = {};  // by id, of chosen tensors
    Repeats repeats = {};
    void exchange(RuleState& s) { s(weights)(values)(repeats); }
  };

  /// Returns the documented rule. `collection_names` and `tensor_regex` choose the tensors; one of them is needed.
  static UnchangedTensor smdebug(std::string collection_names, std::string tensor_regex = {});

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: `num_steps` is below 1, or below 2 if tensors are chosen; a tolerance is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< the chosen tensors

 private:
  void judge_weights(const JudgedStep& step, std::vector<Finding>& out);
  void judge_evaluations(const JudgedStep& step, std::vector<Finding>& out);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/unchanged_tensor_impl.hpp>
#endif
