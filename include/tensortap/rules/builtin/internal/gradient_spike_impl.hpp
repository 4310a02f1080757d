// The bodies of gradient_spike.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/gradient_spike.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> GradientSpike::required() const {
  return {{.name = "gradients", .save = save, .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE std::vector<Finding> GradientSpike::operator()(const JudgedStep& step) {
  constexpr double sigma_of_distance = 1.4826;  // of a normal distribution
  if (!(num_sigma >= 0)) throw Error::bad_threshold(name, num_sigma);
  std::vector<Finding> out;
  if (step.step().mode != Mode::train && step.step().mode != Mode::global) return out;
  const LayerGradient* const largest = detail::largest_layer(step.layer_gradients());
  if (largest == nullptr) return out;
  if (state.sizes.size() >= static_cast<std::size_t>(std::clamp<std::int64_t>(min_checks, 1, RecentWindow::limit))) {
    const double median = state.sizes.median();
    if (state.early == 0) state.early = median;
    const double deviation = sigma_of_distance * state.sizes.median_distance(median);
    const double limit = std::max({3 * median, median + num_sigma * deviation, state.early});
    if (largest->rms > limit)
      out.push_back({.severity = Severity::advice,
                     .tensor = largest->tensor->name,
                     .value = largest->rms,
                     .threshold = limit,
                     .message = "its root mean square is " + shortest(largest->rms) +
                                ", while the median of the largest gradient is " + shortest(median) +
                                "; look at the batch of this step, or clip the gradient"});
  }
  state.sizes.add(largest->rms, RecentWindow::limit);
  return out;
}

TENSORTAP_INLINE void GradientSpike::visit(ParameterVisitor& visitor) {
  visitor("num_sigma", num_sigma, "robust standard deviations above the median");
  visitor("min_checks", min_checks, "how many steps are needed first, at most 128");
}

TENSORTAP_END_NAMESPACE
