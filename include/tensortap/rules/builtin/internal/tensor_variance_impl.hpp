// The bodies of tensor_variance.hpp.
#pragma once

#include <cmath>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/first_layers.hpp>
#include <tensortap/rules/builtin/tensor_variance.hpp>

TENSORTAP_BEGIN_NAMESPACE
TENSORTAP_INLINE std::vector<Finding> TensorVariance::operator()(const JudgedStep& step) {
  std::vector<Finding> out;
  if (std::isnan(max_threshold) && std::isnan(min_threshold)) return out;
  choice.use(collection_names, tensor_regex);
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.empty() && !choice.has(step, *tensor)) continue;
    const auto variance = detail::variance_in(step, *tensor);
    if (!variance) continue;
    const bool is_large = *variance > max_threshold;
    if (!is_large && !(*variance < min_threshold)) continue;
    const double threshold = is_large ? max_threshold : min_threshold;
    out.push_back({.tensor = tensor->name,
                   .value = *variance,
                   .threshold = threshold,
                   .message = "its variance is " + shortest(*variance) + (is_large ? ", above " : ", below ") +
                              shortest(threshold) + "; look at the initial weights, and at the inputs of this layer"});
  }
  return out;
}

TENSORTAP_INLINE void TensorVariance::visit(ParameterVisitor& visitor) {
  visitor("collection_names", collection_names, "collections, with commas between them");
  visitor("tensor_regex", tensor_regex, "names of tensors, with commas between them; both empty: all tensors");
  visitor("max_threshold", max_threshold, "a variance above it is a finding");
  visitor("min_threshold", min_threshold, "a variance below it is a finding");
}

TENSORTAP_END_NAMESPACE
