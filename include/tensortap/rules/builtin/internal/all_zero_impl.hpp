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
    checks = *zeros >= threshold ? checks + 1 : 0;
    if (checks < (choice.empty() ? num_checks : 1) || checks == 0) continue;
    out.push_back({.severity = choice.empty() ? Severity::advice : Severity::error,
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
  visitor("num_checks", num_checks, "how many steps in a row, of gradients that were not chosen");
}

TENSORTAP_END_NAMESPACE
