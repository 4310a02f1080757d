// Finds sequences in which one token is too frequent, as those that are mostly padding.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::NLPSequenceRatio{.token_values = "0,1"}});
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds each tensor of tokens in which the share of a token exceeds its threshold. The finding is advice.
/// Empty: skipped.
/// Source: SageMaker Debugger's NLPSequenceRatio and its thresholds. smdebug() looks for the one name that Gluon gives;
/// by default the rule looks at what any embedding reads.
struct NLPSequenceRatio {
  static constexpr std::string_view name = "NLPSequenceRatio";
  static constexpr std::string_view condition = "the share of a token in the input is above its threshold";
  static constexpr std::string_view needs = "the input of the embedding: elements; statistics for token 0";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::string tensor_regex = ".*(embedding|Embedding)[^/]*_input_0";  ///< names of tensors
  std::string token_values = "0";                                     ///< tokens, with commas between them
  std::string token_thresholds_percent = "50";  ///< for each token, a share in percent that is no finding
  SaveConfig save = every(500);                 ///< when `required_by` asks for them

  static NLPSequenceRatio smdebug() { return {.tensor_regex = ".*embedding0_input_0"}; }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a list holds no numbers, or they are not as many, or a threshold is not from 0 to 100.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  TensorChoice choice = {};  ///< the tensors of `tensor_regex`

  /// The two lists as numbers, and the texts that they were read from.
  struct Lists {
    std::vector<double> tokens = {};
    std::vector<double> limits = {};
    std::string tokens_text = {};
    std::string limits_text = {};
  };
  Lists lists = {};

 private:
  void read_lists();
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/nlp_sequence_ratio_impl.hpp>
#endif
