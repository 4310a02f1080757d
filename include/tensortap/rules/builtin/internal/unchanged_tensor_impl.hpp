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
#include <tensortap/rules/builtin/internal/loss_level.hpp>
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

/// Returns whether most of a training has changed nothing: since `since`, though the loss is above a twentieth of what
/// it began with.
inline bool is_over_too_early(const TrainingFacts& facts, std::int64_t since, std::int64_t now) {
  constexpr std::size_t few = 8;
  return 2 * since < now && facts.trained_loss().recent_mean(few) > 0.05 * facts.trained_from();
}

/// Returns whether every weight that ever had a gradient has stood still for more than half of the training.
inline bool training_has_stopped(const JudgedStep& step, std::span<const FoundStill> still,
                                 std::span<const StillWeight> weights) {
  const auto is_trained = [&](const KnownTensor* weight) {
    return weight->id < weights.size() && weights[weight->id].peak > 0;
  };
  const auto all = step.with_role(Role::weight);
  const auto trained = std::count_if(all.begin(), all.end(), is_trained);
  return trained == static_cast<std::ptrdiff_t>(still.size()) &&
         std::all_of(still.begin(), still.end(), [&](const FoundStill& one) {
           return is_over_too_early(step.facts(), one.state->since, step.step().mode_step);
         });
}

/// Returns a weight if every weight of which no gradient was ever saved has stood still for more than half of the
/// training, in `num_checks` pairs of steps and `min_steps` steps or more. Null: some change, or have a gradient.
inline const KnownTensor* first_still_weight(const JudgedStep& step, std::span<const StillWeight> gradients,
                                             std::int64_t num_checks, std::int64_t min_steps) {
  const auto all = step.with_role(Role::weight);
  const std::int64_t now = step.step().mode_step;
  const bool are_still = std::all_of(all.begin(), all.end(), [&](const KnownTensor* weight) {
    const TensorChange* const change = step.change(*weight);
    return change != nullptr && change->equal && change->unchanged >= num_checks &&
           now - change->still_since >= min_steps && is_over_too_early(step.facts(), change->still_since, now);
  });
  const bool have_none =
      std::all_of(gradients.begin(), gradients.end(), [](const StillWeight& one) { return !(one.peak > 0); });
  const bool is_training = step.step().mode == Mode::train || step.step().mode == Mode::global;
  return is_training && are_still && have_none && !all.empty() ? all.front() : nullptr;
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
    judge_weights(step, out);
    judge_evaluations(step, out);
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

TENSORTAP_INLINE void UnchangedTensor::judge_weights(const JudgedStep& step, std::vector<Finding>& out) {
  const auto still = detail::still_weights(step, state.weights, num_steps, min_steps);
  const bool is_over = !still.empty() && detail::training_has_stopped(step, still, state.weights);
  const Severity severity = is_over ? Severity::error : detail::severity_in(step.facts());
  for (const detail::FoundStill& one : still)
    out.push_back({.severity = severity,
                   .tensor = one.weight->name,
                   .value = one.state->size,
                   .message = detail::still_text(*one.state) +
                              "; check the schedule of the learning rate, and what freezes this layer"});
  if (const auto* weight = detail::first_still_weight(step, state.weights, num_steps, min_steps))
    out.push_back({.tensor = weight->name,
                   .value = 0,
                   .message = "no saved weight has changed since step " +
                              std::to_string(step.change(*weight)->still_since) +
                              "; check the schedule of the learning rate, and whether the optimizer is called"});
}

/// Finds evaluations with the same losses, to the bit, as those of the same examples before: nothing was trained
/// between them.
TENSORTAP_INLINE void UnchangedTensor::judge_evaluations(const JudgedStep& step, std::vector<Finding>& out) {
  const LossSeries& train = step.facts().loss(Mode::train);
  const LossSeries& validation = step.facts().loss(Mode::eval);
  if (!validation.in_step || !std::isfinite(validation.now)) return;
  detail::note_tensor(step, validation.tensor);
  Repeats& found = state.repeats;
  const auto kept = static_cast<std::int64_t>(validation.kept());
  const std::size_t place = static_cast<std::size_t>(validation.count - 1) % LossSeries::most_recent;
  if (place >= found.trained.size()) found.trained.resize(place + 1);
  found.trained[place] = train.last_mode_step;
  const auto repeats = [&](std::int64_t lag) {
    return lag > 0 && lag < kept && validation.now == validation.before(static_cast<std::size_t>(lag));
  };
  if (repeats(found.lag)) {
    ++found.count;
  } else {
    found.count = 0;
    for (found.lag = 1; found.lag < kept && !repeats(found.lag);) ++found.lag;
    if (!repeats(found.lag)) return;
    const auto first = static_cast<std::size_t>(validation.count - 1 - found.lag) % LossSeries::most_recent;
    found.count = 1;
    found.since = found.trained[first];
  }
  if (found.count < std::max(found.lag, num_steps) || train.last_mode_step - found.since < min_steps) return;
  if (validation.now == 0 || !detail::is_over_too_early(step.facts(), found.since, train.last_mode_step)) return;
  out.push_back({.tensor = validation.tensor,
                 .value = validation.now,
                 .message = "its last " + std::to_string(found.count) + " values in evaluation are those of " +
                            std::to_string(found.lag) +
                            " values before, to the bit, although it has been trained since "
                            "step " +
                            std::to_string(found.since) +
                            "; check the schedule of the learning rate, and whether the optimizer is called"});
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
