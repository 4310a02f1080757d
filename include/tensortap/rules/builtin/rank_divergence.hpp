// Finds parameters that should be equal in all workers of a run, and are not.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::RankDivergence{}});
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

/// Finds weights and biases whose bits differ between workers, in steps that several workers have saved. A finding
/// names the tensor and the worker: one of the few that differ from the most, or, of two, from the first. It is an
/// error if the tensor was equal in an earlier step; else it is advice, because the workers may hold parts of one
/// tensor. Tensors whose shape or form differs are such parts, and skipped. Only evaluate() sees several workers;
/// within a training process the rule judges nothing. Numeric: digests of 32 bits are compared; those of different
/// tensors are equal once in 4e9 times. Source: TrainCheck's invariant of replicated parameters.
struct RankDivergence {
  static constexpr std::string_view name = "RankDivergence";
  static constexpr std::string_view condition = "a replicated tensor differs between workers";
  static constexpr std::string_view needs =
      "weights and biases of several workers, in the same steps: elements, statistics or reductions";
  static constexpr std::string_view source = "TrainCheck";

  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names of tensors; empty, as collection_names: weights and biases
  SaveConfig save = every(100);       ///< when `required_by` asks for them

  /// Asks for statistics only; the rule also accepts elements.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Finds nothing in one worker.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep&) const { return {}; }

  /// Takes the digests of a step.
  void observe(const JudgedStep& step);
  /// Compares the digests of the step at hand.
  static std::vector<Finding> compare(std::span<const std::pair<std::string_view, RankDivergence*>> all);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& state) { state(was_equal); }

  /// A tensor in the step at hand.
  struct Seen {
    const std::string* name = nullptr;
    std::size_t id = 0;
    std::uint64_t form = 0;  ///< the shape, and what was saved
    std::uint32_t digest = 0;
    double l2 = 0;  ///< for the message
  };

  std::vector<Seen> seen = {};               ///< in the order of their names
  std::vector<std::uint8_t> was_equal = {};  ///< by id: whether all workers had the same in an earlier step
  TensorChoice choice = {};                  ///< the chosen tensors
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/rank_divergence_impl.hpp>
#endif
