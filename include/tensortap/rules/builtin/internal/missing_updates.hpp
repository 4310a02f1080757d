// Weights that do not change although they have a gradient, for the rules that find them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/update_missing.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A weight that was found not to change.
struct FoundStill {
  const KnownTensor* weight = nullptr;
  const StillWeight* state = nullptr;
  bool ever_changed = false;
};

/// Notes what the gradient of each weight in a step is. It counts unless it is far below its peak, or below the
/// largest.
inline void note_gradients(const JudgedStep& step, std::vector<StillWeight>& weights) {
  constexpr double decay = 0.99;
  constexpr double of_peak = 1e-2;
  constexpr double of_largest = 1e-6;
  const std::span<const LayerGradient> gradients = step.layer_gradients();
  const double largest = largest_rms(gradients);
  for (const LayerGradient& one : gradients) {
    if (one.weight == nullptr) continue;
    if (one.weight->id >= weights.size()) weights.resize(one.weight->id + 1);
    StillWeight& weight = weights[one.weight->id];
    weight.size = one.rms;
    weight.peak = std::max(weight.peak * decay, one.rms);
    const bool counts = one.rms > 0 && one.rms >= of_peak * weight.peak && one.rms >= of_largest * largest;
    weight.gradient = counts ? StillWeight::Gradient::counts : StillWeight::Gradient::tiny;
  }
}

/// Judges a step. Returns the weights that have not changed in the last `num_checks` pairs of steps and `min_steps`
/// steps, although there was a gradient that counts.
inline std::vector<FoundStill> still_weights(const JudgedStep& step, std::vector<StillWeight>& weights,
                                             std::int64_t num_checks, std::int64_t min_steps) {
  std::vector<FoundStill> out;
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const TensorChange* const change = step.change(*weight);
    if (change == nullptr || weight->id >= weights.size()) continue;
    StillWeight& state = weights[weight->id];
    const auto gradient = std::exchange(state.gradient, StillWeight::Gradient::unknown);
    if (!change->equal || gradient == StillWeight::Gradient::tiny) {
      state.checks = 0;
    } else if (gradient == StillWeight::Gradient::counts) {
      if (state.checks++ == 0) state.since = step.step().mode_step - change->steps;
      if (state.checks >= num_checks && step.step().mode_step - state.since >= min_steps)
        out.push_back({weight, &state, change->ever_changed});
    }
  }
  note_gradients(step, weights);  // they cause the next change
  return out;
}

/// Returns what these rules need.
inline std::vector<Collection> weights_and_gradients(const SaveConfig& save) {
  return {{.name = "weights", .save = save, .reductions = {Reduction::statistics}},
          {.name = "gradients", .save = save, .reductions = {Reduction::statistics}}};
}

inline std::string still_text(const StillWeight& one) {
  return "it has not changed since step " + std::to_string(one.since) + ", in " + std::to_string(one.checks) +
         " checks, although the root mean square of its gradient is " + shortest(one.size);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
