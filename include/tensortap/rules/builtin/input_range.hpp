// Finds inputs of the network that are too large, too small, or constant.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::InputRange{}});
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

/// Finds inputs whose root mean square is outside a range, or that do not vary, in several observations in a row. The
/// finding is advice. What an embedding reads, and whole numbers that are no images, are names of things: they are
/// skipped. Numeric: NaN and infinities are left out. Empty: skipped. Source: UMLAUT warns outside [-1, 1], which also
/// meets many inputs that were normalised; this range is wider.
struct InputRange {
  static constexpr std::string_view name = "InputRange";
  static constexpr std::string_view condition =
      "the root mean square of what enters the network is above max_rms or below min_rms, or it does not vary";
  static constexpr std::string_view needs = "the input of the first layer: statistics or elements";
  static constexpr std::string_view source = "UMLAUT, with a wider range";

  double max_rms = 10;            ///< a larger root mean square is a finding
  double min_rms = 1e-3;          ///< a smaller one is a finding
  std::int64_t patience = 3;      ///< observations in a row
  std::string tensor_regex = {};  ///< names of tensors; empty: what enters the first layer
  SaveConfig save = every(100);   ///< when `required_by` asks for them

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a limit is negative or NaN, or patience is not positive.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& rule_state) { rule_state(in_a_row); }

  std::vector<std::int64_t> in_a_row = {};  ///< by id: observations outside the range
  TensorChoice choice = {};                 ///< the tensors of `tensor_regex`
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/input_range_impl.hpp>
#endif
