// The bodies of vanishing_gradient.hpp.
#pragma once

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/vanishing_gradient.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> VanishingGradient::required() const {
  return {{.name = collection, .save = save, .reductions = {Reduction::abs_mean}}};
}

TENSORTAP_INLINE std::vector<Finding> VanishingGradient::operator()(const JudgedStep& step) const {
  if (!(threshold >= 0)) throw Error::bad_threshold(name, threshold);  // it would find nothing
  std::vector<Finding> out;
  for (const std::string& tensor : step.tensors(collection))
    if (const auto mean = step.reduction(tensor, Reduction::abs_mean); mean && *mean < threshold)
      out.push_back({.tensor = tensor,
                     .value = *mean,
                     .threshold = threshold,
                     .message = "its mean magnitude is " + shortest(*mean) + ", below " + shortest(threshold)});
  return out;
}

TENSORTAP_INLINE void VanishingGradient::visit(ParameterVisitor& visitor) {
  visitor("threshold", threshold, "a mean magnitude below it is a finding");
  visitor("collection", collection, "the tensors");
}

TENSORTAP_END_NAMESPACE
