// Compares a run with other runs that should be equal to it.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::SimilarAcrossRuns{.other_trials = "runs/41"}});
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/tensor_choice.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds, in each step, tensors that differ from those of the same name, worker and step in other runs. It compares the
/// elements if both runs have them, else the statistics, else the reductions that both have, bit by bit. The finding is
/// advice. A step or tensor that another run lacks is skipped. The other runs are opened when the first step is judged,
/// so the rule is for stored runs.
/// Numeric: NaN equals NaN of the same bits; 0 differs from -0.
/// Source: SageMaker Debugger's SimilarAcrossRuns, which fires on a difference, despite its name.
struct SimilarAcrossRuns {
  static constexpr std::string_view name = "SimilarAcrossRuns";
  static constexpr std::string_view condition = "a tensor differs from that of the same step in one of other_trials";
  static constexpr std::string_view needs = "other_trials, the addresses of other runs; any tensors";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::string other_trials = {};      ///< addresses of runs, with commas between them; empty: nothing is judged
  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names of tensors; empty, as collection_names: all tensors

  /// Throws: one of the other runs cannot be opened.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  struct Others;
  std::shared_ptr<const Others> others = {};  ///< the other runs, which are only read
  TensorChoice choice = {};                   ///< the chosen tensors
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/similar_across_runs_impl.hpp>
#endif
