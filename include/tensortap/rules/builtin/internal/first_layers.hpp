// What the first steps tell of initial weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the variance; nullopt if it is unknown, or an element is not finite.
inline std::optional<double> variance_in(const JudgedStep& step, const KnownTensor& tensor) {
  std::optional<double> out;
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count == 0 || s->non_finite() > 0) return std::nullopt;
    out = s->variance();
  } else {
    out = step.reduction(tensor, Reduction::variance);
    if (const auto deviation = step.reduction(tensor, Reduction::std); !out && deviation) out = *deviation * *deviation;
  }
  return out && std::isfinite(*out) ? out : std::nullopt;
}

/// Returns the number that all elements are, if there are several and they are all the same.
inline std::optional<double> constant_of(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count < 2 || s->non_finite() > 0 || s->min != s->max) return std::nullopt;
    return s->min;
  }
  const auto min = step.reduction(tensor, Reduction::min);
  const auto max = step.reduction(tensor, Reduction::max);
  return min && max && *min == *max ? min : std::nullopt;
}

/// Returns the layers that have weights, by the ends of the names of their weights: of "Net_fc1.weight", the layers
/// "Net_fc1" and "fc1". Sorted.
inline std::vector<std::string_view> layers_with_weights(const JudgedStep& step) {
  std::vector<std::string_view> out;
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const std::string_view full = weight->name;
    const std::string_view layer = full.substr(0, full.find_last_of("./_"));
    out.push_back(layer);
    if (const std::size_t end = layer.find('_'); end != std::string_view::npos) out.push_back(layer.substr(end + 1));
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Returns the percentile 95 less the percentile 5 as numpy computes them. Empty, or not finite: nullopt.
inline std::optional<double> range_of(const Tensor& tensor) {
  std::vector<double> sorted;
  with_numbers(tensor, [&](auto elements) { sorted.assign(elements.begin(), elements.end()); });
  if (sorted.empty() || !std::all_of(sorted.begin(), sorted.end(), [](double x) { return std::isfinite(x); }))
    return std::nullopt;
  std::sort(sorted.begin(), sorted.end());
  const auto percentile = [&](double percent) {
    const double at = percent / 100 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
  };
  return percentile(95) - percentile(5);
}

/// Returns by how much the logarithm of the gradients changes from layer to layer: the slope of a straight line.
/// nullopt: fewer than four layers, or a gradient is zero.
inline std::optional<double> slope_of(std::span<const LayerGradient> gradients) {
  constexpr std::size_t enough = 4;
  if (gradients.size() < enough) return std::nullopt;
  const double middle = static_cast<double>(gradients.size() - 1) / 2;
  double products = 0;
  double squares = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!(gradients[i].rms > 0)) return std::nullopt;
    const double x = static_cast<double>(i) - middle;
    products += x * std::log(gradients[i].rms);
    squares += x * x;
  }
  return products / squares;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
