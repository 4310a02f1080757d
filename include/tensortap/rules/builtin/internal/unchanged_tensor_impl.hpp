// The bodies of unchanged_tensor.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/missing_updates.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/unchanged_tensor.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns what `numpy.allclose(now, before, rtol, atol, equal_nan)` returns.
inline bool all_close(const ValueHistory::Value& now, const ValueHistory::Value& before, double rtol, double atol,
                      bool equal_nan) {
  const auto is_close = [&](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return equal_nan && std::isnan(a) && std::isnan(b);
    if (std::isinf(a) || std::isinf(b)) return a == b;
    return std::abs(a - b) <= atol + rtol * std::abs(b);
  };
  return now.size == before.size &&
         std::equal(now.elements.begin(), now.elements.end(), before.elements.begin(), before.elements.end(), is_close);
}

/// Returns whether every weight that ever had a gradient has stood still for more than half of the training, although
/// the loss is above a twentieth of what it began with: most of the run has changed nothing.
inline bool training_has_stopped(const JudgedStep& step, std::span<const FoundStill> still,
                                 std::span<const StillWeight> weights) {
  constexpr std::size_t few = 8;
  const auto is_trained = [&](const KnownTensor* weight) {
    return weight->id < weights.size() && weights[weight->id].peak > 0;
  };
  const auto all = step.with_role(Role::weight);
  const auto trained = std::count_if(all.begin(), all.end(), is_trained);
  const LossSeries& loss = step.facts().trained_loss();
  return trained == static_cast<std::ptrdiff_t>(still.size()) &&
         loss.recent_mean(few) > 0.05 * step.facts().trained_from() &&
         std::all_of(still.begin(), still.end(),
                     [&](const FoundStill& one) { return 2 * one.state->since < step.step().mode_step; });
}

}  // namespace detail

TENSORTAP_INLINE UnchangedTensor UnchangedTensor::smdebug(std::string collection_names, std::string tensor_regex) {
  return {.collection_names = std::move(collection_names), .tensor_regex = std::move(tensor_regex)};
}

TENSORTAP_INLINE std::vector<Collection> UnchangedTensor::required() const {
  if (collection_names.empty() && tensor_regex.empty()) return detail::weights_and_gradients(save);
  return {};  // the user's collections
}

TENSORTAP_INLINE std::vector<Finding> UnchangedTensor::operator()(const JudgedStep& step) {
  choice.use(collection_names, tensor_regex);
  if (num_steps < (choice.empty() ? 1 : 2)) throw Error::bad_threshold(name, static_cast<double>(num_steps));
  for (const double tolerance : {rtol, atol})
    if (!(tolerance >= 0)) throw Error::bad_threshold(name, tolerance);
  std::vector<Finding> out;
  if (choice.empty()) {
    const auto still = detail::still_weights(step, state.weights, num_steps, min_steps);
    const bool is_over = !still.empty() && detail::training_has_stopped(step, still, state.weights);
    const Severity severity = is_over ? Severity::error : detail::severity_in(step.facts());
    for (const detail::FoundStill& one : still)
      out.push_back({.severity = severity,
                     .tensor = one.weight->name,
                     .value = one.state->size,
                     .message = detail::still_text(*one.state) +
                                "; check the schedule of the learning rate, and what freezes this layer"});
    return out;
  }
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.has(step, *tensor)) continue;
    const Tensor* const value = step.value(*tensor);
    if (value == nullptr || value->dtype() == DType::string) continue;
    if (tensor->id >= state.values.size()) state.values.resize(tensor->id + 1);
    ValueHistory& history = state.values[tensor->id];
    history.add(*value, step.step().mode_step, static_cast<std::size_t>(num_steps));
    const auto& values = history.values();
    if (static_cast<std::int64_t>(values.size()) < num_steps) continue;
    const bool unchanged = std::all_of(values.begin(), values.end() - 1, [&](const ValueHistory::Value& before) {
      return detail::all_close(values.back(), before, rtol, atol, equal_nan);
    });
    if (!unchanged) continue;
    out.push_back({.tensor = tensor->name,
                   .value = static_cast<double>(num_steps),
                   .threshold = static_cast<double>(num_steps),
                   .message = "its values in the last " + std::to_string(num_steps) +
                              " saved steps are all close; check the learning rate, and what freezes it"});
  }
  return out;
}

TENSORTAP_INLINE void UnchangedTensor::visit(ParameterVisitor& visitor) {
  visitor("collection_names", collection_names, "collections, with commas between them");
  visitor("tensor_regex", tensor_regex, "names of tensors; both empty: weights that have a gradient");
  visitor("num_steps", num_steps, "pairs of steps, or values of chosen tensors");
  visitor("rtol", rtol, "the tolerance relative to the earlier value, of chosen tensors");
  visitor("atol", atol, "the absolute tolerance, of chosen tensors");
  visitor("equal_nan", equal_nan, "whether NaN is equal to NaN, of chosen tensors");
  visitor("min_steps", min_steps, "the least number of steps that weights do not change in");
}

TENSORTAP_END_NAMESPACE
