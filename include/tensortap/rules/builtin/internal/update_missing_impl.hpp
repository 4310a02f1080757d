// The bodies of update_missing.hpp.
#pragma once

#include <algorithm>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/missing_updates.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/update_missing.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the first weight if no weight of the step has changed for long; else null.
inline const KnownTensor* all_still(const JudgedStep& step, std::int64_t num_checks, std::int64_t min_steps) {
  const auto weights = step.with_role(Role::weight);
  if (weights.empty() || step.step().mode != Mode::train || step.facts().trained_loss().count == 0) return nullptr;
  const bool still = std::all_of(weights.begin(), weights.end(), [&](const KnownTensor* weight) {
    const TensorChange* const change = step.change(*weight);
    return change != nullptr && !change->ever_changed && change->unchanged >= num_checks &&
           step.step().mode_step - change->still_since >= min_steps;
  });
  return still ? weights.front() : nullptr;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> UpdateMissing::required() const { return detail::weights_and_gradients(save); }

TENSORTAP_INLINE std::vector<Finding> UpdateMissing::operator()(const JudgedStep& step) {
  if (num_checks < 1) throw Error::bad_threshold(name, static_cast<double>(num_checks));
  state.has_gradients = state.has_gradients || !step.with_role(Role::gradient).empty();
  std::vector<Finding> out;
  const Severity severity = detail::severity_in(step.facts());
  for (const detail::FoundStill& one : detail::still_weights(step, state.weights, num_checks, min_steps)) {
    if (one.ever_changed) continue;
    out.push_back({.severity = severity,
                   .tensor = one.weight->name,
                   .value = one.state->size,
                   .message = detail::still_text(*one.state) +
                              "; check the learning rate, and that the optimizer has this parameter"});
  }
  if (state.has_gradients) return out;
  if (const KnownTensor* const first = detail::all_still(step, num_checks, min_steps))
    out.push_back({.severity = severity,
                   .tensor = first->name,
                   .message = "neither it nor any other of the " + std::to_string(step.with_role(Role::weight).size()) +
                              " weights has changed since step " + std::to_string(step.change(*first)->still_since) +
                              "; check the learning rate, and that the loop calls the optimizer"});
  return out;
}

TENSORTAP_INLINE void UpdateMissing::visit(ParameterVisitor& visitor) {
  visitor("num_checks", num_checks, "the least number of pairs of steps");
  visitor("min_steps", min_steps, "the least number of steps between the first and the last");
}

TENSORTAP_END_NAMESPACE
