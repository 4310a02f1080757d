// Finds decision trees that are too deep.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::TreeDepth{.depth = 6}});
#pragma once

#include <cstdint>
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

/// Finds tables of trees, as XGBoost makes them, with a tree deeper than `depth`. The depth of a tree is the whole part
/// of the binary logarithm of its largest node number. The finding is advice: deep trees may overfit, and take long.
/// Numeric: node numbers that are not finite or not positive tell nothing.
/// Source: SageMaker Debugger's TreeDepth and its default.
struct TreeDepth {
  static constexpr std::string_view name = "TreeDepth";
  static constexpr std::string_view condition = "the depth of a tree is above depth";
  static constexpr std::string_view needs = "trees/Node, the node numbers of all trees: max, statistics or elements";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::int64_t depth = 4;                          ///< a tree of this depth is no finding
  std::string tensor_regex = "(^|/)trees?/Node$";  ///< names of tensors of node numbers
  SaveConfig save = every(500);                    ///< when `required_by` asks for them

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the depth is negative.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  TensorChoice choice = {};  ///< the tensors of `tensor_regex`
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/tree_depth_impl.hpp>
#endif
