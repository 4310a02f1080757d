// The gradients of weights in a step, with their sizes, from whatever was saved of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
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

/// The gradient of the weights of a layer.
struct LayerGradient {
  const KnownTensor* tensor = nullptr;
  const KnownTensor* weight = nullptr;  // null: no step had it
  double rms = 0;
};

/// Those of a step that are finite, from the first layer to the last; biases are left out.
class LayerGradients {
 public:
  explicit LayerGradients(const JudgedStep& step) {
    for (const KnownTensor* gradient : step.with_role(Role::gradient)) {
      const KnownTensor* const parameter = step.find(gradient->subject);
      const bool is_of_bias = parameter != nullptr && parameter->role != Role::other
                                  ? parameter->role == Role::bias
                                  : gradient->subject.find("bias") != std::string::npos;
      if (is_of_bias) continue;
      if (const auto rms = rms_of(step, *gradient)) list_.push_back({gradient, parameter, *rms});
    }
  }

  [[nodiscard]] const std::vector<LayerGradient>& list() const noexcept { return list_; }

  /// Returns the layer with the largest gradient; null if there is none.
  [[nodiscard]] const LayerGradient* largest_layer() const noexcept {
    const auto largest = std::max_element(list_.begin(), list_.end(),
                                          [](const LayerGradient& a, const LayerGradient& b) { return a.rms < b.rms; });
    return largest == list_.end() ? nullptr : &*largest;
  }

  /// Returns the largest root mean square. Empty: 0.
  [[nodiscard]] double largest() const noexcept {
    const LayerGradient* const layer = largest_layer();
    return layer == nullptr ? 0 : layer->rms;
  }

 private:
  std::vector<LayerGradient> list_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
