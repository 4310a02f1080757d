// The bodies of feature_importance_overweight.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/rules/builtin/feature_importance_overweight.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> FeatureImportanceOverweight::required() const {
  return {{.name = "feature_importance", .include_regex = tensor_regex, .save = save}};
}

TENSORTAP_INLINE std::vector<Finding> FeatureImportanceOverweight::operator()(const JudgedStep& step) {
  if (!(threshold >= 0)) throw Error::bad_threshold(name, threshold);
  if (nfeatures < 1) throw Error::bad_threshold(name, static_cast<double>(nfeatures));
  choice.use({}, tensor_regex);
  struct Feature {
    const KnownTensor* tensor;
    double importance;
  };
  std::vector<Feature> features;
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.has(step, *tensor)) continue;
    const Tensor* const value = step.value(*tensor);
    if (value == nullptr || value->dtype() == DType::string) continue;
    for (std::size_t i = 0; i < value->size(); ++i)
      if (const double x = value->number(i); x > 0 && std::isfinite(x)) features.push_back({tensor, x});
  }
  if (features.empty() || features.size() < static_cast<std::size_t>(std::max<std::int64_t>(min_features, 0)))
    return {};
  const auto top = std::min(features.size(), static_cast<std::size_t>(nfeatures));
  std::partial_sort(features.begin(), features.begin() + static_cast<std::ptrdiff_t>(top), features.end(),
                    [](const Feature& a, const Feature& b) { return a.importance > b.importance; });
  const auto sum = [](auto begin, auto end) {
    return std::accumulate(begin, end, 0.0, [](double s, const Feature& feature) { return s + feature.importance; });
  };
  const double most = sum(features.begin(), features.begin() + static_cast<std::ptrdiff_t>(top));
  const double share = most / sum(features.begin(), features.end());
  if (!(share > threshold)) return {};
  std::string names;
  for (std::size_t i = 0; i < top; ++i) names += (i > 0 ? ", " : "") + in_quotes(features[i].tensor->name);
  return {{.severity = Severity::advice,
           .value = share,
           .threshold = threshold,
           .message = "the share of the most important features is " + shortest(share) + ", above " +
                      shortest(threshold) + ": " + names + "; see whether one of them holds what is to be predicted"}};
}

TENSORTAP_INLINE void FeatureImportanceOverweight::visit(ParameterVisitor& visitor) {
  visitor("threshold", threshold, "a share that is no finding");
  visitor("nfeatures", nfeatures, "the most important features");
  visitor("min_features", min_features, "a model of fewer features is not judged");
  visitor("tensor_regex", tensor_regex, "names of tensors");
}

TENSORTAP_END_NAMESPACE
