// Weights that do not change although they have a gradient, for the rules that find them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/layer_gradients.hpp>
#include <tensortap/rules/builtin/update_missing.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A weight that does not change.
struct StillWeight {
  const KnownTensor* weight = nullptr;
  const TensorChange* change = nullptr;
  double gradient = 0;
};

/// Takes the gradients of a step. Returns the weights with a gradient that counts and that have not changed in the last
/// `num_checks` pairs of steps and `min_steps` steps.
inline std::vector<StillWeight> still_weights(const JudgedStep& step, std::vector<GradientPeak>& peaks,
                                              std::int64_t num_checks, std::int64_t min_steps) {
  constexpr double decay = 0.99;
  constexpr double of_peak = 1e-2;
  constexpr double of_largest = 1e-6;
  std::vector<StillWeight> out;
  for (GradientPeak& gradient : peaks) gradient.is_known = false;
  const LayerGradients gradients(step);
  const double largest = gradients.largest();
  for (const LayerGradient& one : gradients.list()) {
    if (one.weight == nullptr) continue;
    if (one.weight->id >= peaks.size()) peaks.resize(one.weight->id + 1);
    GradientPeak& gradient = peaks[one.weight->id];
    gradient.is_known = true;
    gradient.now = one.rms;
    gradient.peak = std::max(gradient.peak * decay, one.rms);
  }
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const TensorChange* const change = step.change(*weight);
    if (change == nullptr || weight->id >= peaks.size()) continue;
    const GradientPeak& gradient = peaks[weight->id];
    const bool counts = gradient.is_known && gradient.now > 0 && gradient.now >= of_peak * gradient.peak &&
                        gradient.now >= of_largest * largest;
    const bool is_still = change->unchanged >= num_checks && step.step().mode_step - change->still_since >= min_steps;
    if (counts && is_still) out.push_back({weight, change, gradient.now});
  }
  return out;
}

/// Returns what these rules need.
inline std::vector<Collection> weights_and_gradients(const SaveConfig& save) {
  return {{.name = "weights", .save = save, .reductions = {Reduction::statistics}},
          {.name = "gradients", .save = save, .reductions = {Reduction::statistics}}};
}

inline std::string still_text(const StillWeight& one) {
  return "it has not changed since step " + std::to_string(one.change->still_since) + ", in " +
         std::to_string(one.change->unchanged) + " checks, although the root mean square of its gradient is " +
         shortest(one.gradient);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
