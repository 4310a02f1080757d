// Finds tensors that are all zero.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::AllZero{.tensor_regex = "_input_0$"}});
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

TENSORTAP_BEGIN_NAMESPACE

/// Finds chosen tensors of whose elements at least `threshold` percent are zero. If none are chosen, it gives an advice
/// for gradients that are zero in some steps in a row; one step alone means nothing, because a zero-initialised last
/// layer makes all other gradients zero. It is an error from step `never_steps` on if that of a weight has been zero in
/// every step so far: what the layer should learn is lost, however well the biases behind it fit.
/// Numeric: NaN is not zero.
/// Empty: skipped.
/// Source: SageMaker Debugger's AllZero and its default.
struct AllZero {
  static constexpr std::string_view name = "AllZero";
  static constexpr std::string_view condition = "at least threshold percent of the elements of a tensor are zero";
  static constexpr std::string_view needs = "the tensors: statistics, elements or, for 100 percent, reductions";
  static constexpr std::string_view source = "SageMaker Debugger; gradients by default are tensortap's";

  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names of tensors. Empty, as collection_names: gradients, as an advice
  double threshold = 100;             ///< percent of zeros that is a finding
  std::int64_t num_checks = 5;        ///< how many steps in a row, of gradients that were not chosen
  std::int64_t never_steps = 40;      ///< the mode step from which a gradient that was always zero is an error

  struct State {
    std::vector<std::int64_t> checks = {};     // by id: how many steps in a row were zero
    std::vector<std::uint8_t> was_other = {};  // by id: whether any step so far was not
    void exchange(RuleState& s) { s(checks)(was_other); }
  };

  /// Throws: the threshold is not a percentage.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< what the parameters choose
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/all_zero_impl.hpp>
#endif
