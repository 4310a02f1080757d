// Finds initial weights that a network cannot learn from.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::PoorWeightInitialization{}});
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds weights all elements of which are the same, still after `steps` steps: an error. In the first steps, it
/// finds outputs of layers whose variances are too far apart, gradients that grow or shrink too much from layer to
/// layer, and a first loss far above that of a constant prediction: advice, and an error if the loss is that of a
/// constant prediction still, at `confirm_step`. New weights with a root mean square above `largest_rms` are an error,
/// too, while the loss is above 2 % of what it began with; no usual initialisation draws such weights, embeddings left
/// out. So are weights that multiply the size of what they see by more than `largest_gain`, whether new or not, while
/// the loss is above a quarter of that level; of an error of regression without a level, of one of labels of
/// variance 1. Of 224 healthy networks, some of them trained before, the largest gain was 4.4. Weights of a
/// normalisation are 1, and those of the last layer may be 0. The documented rule judges the first steps alone:
/// measured on 472 small networks, a ratio of variances above 10 finds 58 % of the broken ones at 33 % false alarms, a
/// first loss above 10 ln C 9 % at 16 %. Numeric: a tensor that holds NaN or an infinity is skipped. Empty: skipped.
/// Source: SageMaker Debugger's PoorWeightInitialization.
struct PoorWeightInitialization {
  static constexpr std::string_view name = "PoorWeightInitialization";
  static constexpr std::string_view condition =
      "a weight is constant, still after `steps` steps; as an advice, variances of layers or their gradients are too "
      "far "
      "apart, or the first loss is too high; as an error, if the loss does not fall either";
  static constexpr std::string_view needs = "weights, gradients and outputs of layers: statistics or elements; losses";
  static constexpr std::string_view source = "SageMaker Debugger; constant weights and slopes are tensortap's";

  std::string activation_inputs_regex =
      {};                             ///< names of the inputs of activations; empty: outputs of layers with weights
  double threshold = 1e6;             ///< the ratio of the largest to the smallest variance that is no finding yet
  double distribution_range = 0;      ///< percentile 95 less percentile 5 of a gradient that is enough; 0: off
  std::int64_t patience = 0;          ///< steps in which the loss must fall; 0: off
  std::int64_t steps = 10;            ///< the first mode steps, which are judged
  double slope = 1.3862943611198906;  ///< change of the logarithm of gradients from layer to layer: ln 4; 0: off
  double loss_factor = 10;            ///< a first loss above this multiple of chance is an advice; 0: off
  double largest_rms = 3;             ///< the largest root mean square of a new weight that is no error; 0: off
  double largest_gain = 8;            ///< of root mean square times root of inputs, in the first step; 0: off
  std::int64_t confirm_step = 60;     ///< the mode step of the error; 0: findings of the first steps are errors
  SaveConfig save = every(5) & until(21);  ///< when `required_by` asks for tensors

  struct Evidence {
    std::string tensor = {};
    std::string text = {};
    double value = 0;
    double limit = 0;
    void exchange(RuleState& s) { s(tensor)(text)(value)(limit); }
  };
  struct State {
    std::vector<std::int64_t> constant = {};  // by id: in how many steps a weight was constant
    Evidence evidence = {};                   // of the first steps
    Evidence large = {};                      // a new weight that is much too large
    double best_loss = 0;
    std::int64_t since_best = -1;  // losses since the best one; -1: there was none
    void exchange(RuleState& s) { s(constant)(evidence)(large)(best_loss)(since_best); }
  };

  /// Returns the documented rule, whose findings are errors.
  static PoorWeightInitialization smdebug();

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a threshold is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return confirm_step > 0; }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< the tensors of `activation_inputs_regex`

 private:
  void judge_constants(const JudgedStep& step, std::vector<Finding>& out);
  void judge_sizes(const JudgedStep& step, std::vector<Finding>& out);
  void find_large(const JudgedStep& step);
  void judge_first_steps(const JudgedStep& step, std::vector<Finding>& out);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/poor_weight_initialization_impl.hpp>
#endif
