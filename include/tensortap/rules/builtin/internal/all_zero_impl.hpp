// The bodies of all_zero.hpp.
#pragma once

#include <optional>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/all_zero.hpp>
#include <tensortap/rules/builtin/internal/zeros.hpp>
#include <tensortap/rules/known_tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the gradient is that of a weight.
inline bool is_of_weight(const JudgedStep& step, const KnownTensor& gradient) {
  const KnownTensor* const parameter = step.find(gradient.subject);
  return (parameter != nullptr ? parameter->role : role_of(gradient.subject).role) == Role::weight;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Finding> AllZero::operator()(const JudgedStep& step) {
  detail::require_percent(name, threshold);
  choice.use(collection_names, tensor_regex);
  std::vector<Finding> out;
  for (const KnownTensor* tensor : step.saved()) {
    if (choice.empty() ? tensor->role != Role::gradient : !choice.has(step, *tensor)) continue;
    const auto zeros = detail::percent_of_zeros(step, *tensor);
    if (!zeros) continue;
    if (tensor->id >= state.checks.size()) state.checks.resize(tensor->id + 1);
    std::int64_t& checks = state.checks[tensor->id];
    state.was_other.resize(state.checks.size());
    checks = *zeros >= threshold ? checks + 1 : 0;
    if (checks == 0) state.was_other[tensor->id] = 1;
    if (checks < (choice.empty() ? num_checks : 1) || checks == 0) continue;
    const bool is_untrained =
        state.was_other[tensor->id] == 0 && step.step().mode_step >= never_steps && detail::is_of_weight(step, *tensor);
    out.push_back({.severity = choice.empty() && !is_untrained ? Severity::advice : Severity::error,
                   .tensor = tensor->name,
                   .value = *zeros,
                   .threshold = threshold,
                   .message = shortest(*zeros) + " % of its elements are zero; look at what computes it, for dead "
                                                 "units and for data that were not filled in"});
  }
  return out;
}

TENSORTAP_INLINE void AllZero::visit(ParameterVisitor& visitor) {
  visitor("collection_names", collection_names, "collections, with commas between them");
  visitor("tensor_regex", tensor_regex,
          "names of tensors, with commas between them; both empty: gradients, as an advice");
  visitor("threshold", threshold, "percent of zeros that is a finding");
  visitor("never_steps", never_steps, "the mode step from which a weight whose gradient was always zero is an error");
  visitor("num_checks", num_checks, "how many steps in a row, of gradients that were not chosen");
}

TENSORTAP_END_NAMESPACE
