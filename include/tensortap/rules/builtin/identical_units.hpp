// Finds layers whose units all compute the same, because they began with the same weights.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::IdenticalUnits{}});
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

/// Finds weights of at least two units whose rows, or whose columns, are all the same, still after `start_step` steps.
/// Such units get the same gradient and stay the same: the layer is as good as one unit. Weights without a gradient, in
/// steps that have gradients, are frozen by design. It is an advice if the loss shows that the training works
/// nevertheless; not if all elements are one number in three checks, which training has changed: no symmetry was
/// broken. That is seen in statistics, too. Rows are compared, not their norms: those of an orthogonal initialisation
/// are equal. Numeric: weights that hold NaN or an infinity are skipped. Empty: skipped.
struct IdenticalUnits {
  static constexpr std::string_view name = "IdenticalUnits";
  static constexpr std::string_view condition =
      "the rows or the columns of a weight differ by less than tolerance of its size, in num_checks steps and after "
      "start_step";
  static constexpr std::string_view needs = "weights: elements; statistics, or min and max, tell less";
  static constexpr std::string_view source = "tensortap";

  double tolerance = 1e-6;            ///< the largest difference from the first row, relative to the root mean square
  std::int64_t num_checks = 2;        ///< least number of steps in a row
  std::int64_t start_step = 10;       ///< the first mode step in which it is a finding
  SaveConfig save = at({0, 10, 20});  ///< when `required_by` asks for weights

  struct State {
    std::vector<std::int64_t> checks = {};  // by id: how many steps in a row had identical units
    std::vector<double> first = {};         // by id: the number that all elements were in the first of these
    void exchange(RuleState& s) { s(checks)(first); }
  };

  /// Asks for the elements of weights in a collection of its own, so that only these steps save them.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the tolerance is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/identical_units_impl.hpp>
#endif
