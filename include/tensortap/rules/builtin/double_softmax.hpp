// Finds probabilities that enter a loss which makes probabilities of scores itself.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::DoubleSoftmax{}});
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

/// Finds a loss named CrossEntropyLoss whose input lies between 0 and 1 and is 1 / classes on average, as the output of
/// a softmax; and a loss named BCEWithLogitsLoss whose input lies between 0 and 1 and varies, as the output of a
/// sigmoid. Both apply that function themselves, so that the loss cannot fall far, and gradients are small. In
/// `patience` steps in a row, four times as many for a sigmoid, because small scores may all be positive. The input is
/// the loss's own, else the last output of a layer before it. The average of a softmax is exact to 0.1 %.
/// Numeric: steps in which an element is not finite are left out.
/// Source: ours; the documentation of PyTorch's losses says that they expect unnormalised scores.
struct DoubleSoftmax {
  static constexpr std::string_view name = "DoubleSoftmax";
  static constexpr std::string_view condition = "probabilities enter a loss that expects scores";
  static constexpr std::string_view needs =
      "losses, and the input of the loss or the output of the network: elements, statistics, or min, max and mean";
  static constexpr std::string_view source = "tensortap";

  std::int64_t patience = 5;    ///< steps in a row
  SaveConfig save = every(10);  ///< when `required_by` asks for them

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: patience is not positive.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(in_a_row); }

  std::int64_t in_a_row = 0;  ///< steps
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/double_softmax_impl.hpp>
#endif
