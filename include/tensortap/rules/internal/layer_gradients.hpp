// The gradients of weights in a step, with their sizes, from whatever was saved of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the root mean square of the elements: from statistics, else from mean and std, else the mean magnitude,
/// which is a little less. nullopt: not saved, empty, or not finite.
inline std::optional<double> rms_of(const JudgedStep& step, const KnownTensor& tensor) {
  std::optional<double> out;
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count == 0 || s->non_finite() > 0) return std::nullopt;
    out = std::sqrt(s->sum_squares / static_cast<double>(s->count));
    // Squares below 1e-308 vanish, those above 1e308 overflow.
    if ((*out == 0 && s->zeros < s->count) || !std::isfinite(*out)) out = s->abs_mean();
  } else if (const auto deviation = step.reduction(tensor, Reduction::std)) {
    if (const auto mean = step.reduction(tensor, Reduction::mean))
      out = std::sqrt(*mean * *mean + *deviation * *deviation);
  }
  if (!out) out = step.reduction(tensor, Reduction::abs_mean);
  if (out && !std::isfinite(*out)) return std::nullopt;
  return out;
}

/// Returns whether the name is one of an embedding: most rows of its gradient are zero, because few words occur.
inline bool is_embedding(const KnownTensor& gradient) {
  return gradient.subject.find("embed") != std::string::npos || gradient.subject.find("Embed") != std::string::npos;
}

/// Replaces `out` by the gradients of weights in a step.
inline void find_layer_gradients(const JudgedStep& step, std::vector<LayerGradient>& out) {
  out.clear();
  for (const KnownTensor* gradient : step.with_role(Role::gradient)) {
    const KnownTensor* const parameter = step.find(gradient->subject);
    const bool is_of_bias = parameter != nullptr && parameter->role != Role::other
                                ? parameter->role == Role::bias
                                : gradient->subject.find("bias") != std::string::npos;
    if (is_of_bias) continue;
    if (const auto rms = rms_of(step, *gradient)) out.push_back({gradient, parameter, *rms});
  }
}

/// Returns the layer with the largest gradient; null if there is none.
inline const LayerGradient* largest_layer(std::span<const LayerGradient> layers) noexcept {
  const auto largest = std::max_element(layers.begin(), layers.end(),
                                        [](const LayerGradient& a, const LayerGradient& b) { return a.rms < b.rms; });
  return largest == layers.end() ? nullptr : &*largest;
}

/// Returns the largest root mean square. Empty: 0.
inline double largest_rms(std::span<const LayerGradient> layers) noexcept {
  const LayerGradient* const layer = largest_layer(layers);
  return layer == nullptr ? 0 : layer->rms;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
