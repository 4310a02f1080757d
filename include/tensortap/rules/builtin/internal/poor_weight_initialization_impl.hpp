// The bodies of poor_weight_initialization.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/internal/first_layers.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/poor_weight_initialization.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/internal/layer_size.hpp>
#include <tensortap/rules/internal/output_count.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE PoorWeightInitialization PoorWeightInitialization::smdebug() {
  return {.activation_inputs_regex = ".*relu_input",
          .threshold = 10,
          .distribution_range = 0.001,
          .patience = 5,
          .slope = 0,
          .loss_factor = 0,
          .largest_rms = 0,
          .largest_gain = 0,
          .confirm_step = 0,
          .save = every(500)};
}

TENSORTAP_INLINE std::vector<Collection> PoorWeightInitialization::required() const {
  const bool needs_elements = distribution_range > 0;
  const Reductions reductions = needs_elements ? Reductions() : Reductions{Reduction::statistics};
  std::vector<Collection> out = {{.name = "losses", .save = every(1)},
                                 {.name = "gradients", .save = save, .reductions = reductions}};
  if (confirm_step > 0) out.push_back({.name = "weights", .save = save, .reductions = reductions});
  if (!activation_inputs_regex.empty())
    out.push_back({.name = "relu_input",
                   .include_regex = activation_inputs_regex,
                   .save = save,
                   .reductions = {Reduction::statistics}});
  return out;
}

TENSORTAP_INLINE std::vector<Finding> PoorWeightInitialization::operator()(const JudgedStep& step) {
  for (const double one : {threshold, distribution_range, slope, loss_factor, largest_rms, largest_gain})
    if (!(one >= 0)) throw Error::bad_threshold(name, one);
  std::vector<Finding> out;
  const Step at = step.step();
  if (at.mode != Mode::train && at.mode != Mode::global) return out;
  if (confirm_step > 0) judge_constants(step, out);
  if (largest_rms > 0 || largest_gain > 0) judge_sizes(step, out);
  if (at.mode_step < steps) judge_first_steps(step, out);
  if (confirm_step == 0 || at.mode_step < confirm_step || state.evidence.text.empty()) return out;
  if (!detail::is_stuck(step.facts())) return out;
  out.push_back(
      {.tensor = state.evidence.tensor,
       .value = state.evidence.value,
       .threshold = state.evidence.limit,
       .message =
           state.evidence.text +
           ", and the loss is that of a constant prediction still; try the initialisation of Kaiming or Xavier"});
  return out;
}

/// Finds weights that are constant for longer than the first steps.
TENSORTAP_INLINE void PoorWeightInitialization::judge_constants(const JudgedStep& step, std::vector<Finding>& out) {
  const auto weights = step.with_role(Role::weight);
  for (const KnownTensor* weight : weights) {
    if (weight->id >= state.constant.size()) state.constant.resize(weight->id + 1);
    std::int64_t& checks = state.constant[weight->id];
    if (checks < 0) continue;  // it was not constant once
    if (!detail::variance_in(step, *weight)) continue;
    const auto constant = detail::constant_of(step, *weight);
    checks = constant ? checks + 1 : -1;
    if (checks < 2 || step.step().mode_step < steps) continue;
    const Tensor* const value = step.value(*weight);
    const bool is_of_norm = *constant == 1 || (value != nullptr && value->rank() < 2);
    if (is_of_norm || (weight == weights.back() && weights.size() > 1)) continue;
    out.push_back({.severity = detail::severity_in(step.facts()),
                   .tensor = weight->name,
                   .value = *constant,
                   .message = "all of its elements are " + shortest(*constant) + ", still after " +
                              std::to_string(step.step().mode_step) + " steps; initialise the weights at random"});
  }
}

/// Finds new weights that are much larger than any usual initialisation draws them. The loss falls from a high start
/// then, and yet rarely to a good network.
TENSORTAP_INLINE void PoorWeightInitialization::judge_sizes(const JudgedStep& step, std::vector<Finding>& out) {
  if (step.step().mode_step == 0) find_large(step);
  constexpr std::size_t few = 8;
  constexpr double nothing_left = 0.02;
  constexpr double learned = 0.25;
  const LossSeries& loss = step.facts().trained_loss();
  if (state.large.text.empty() || step.step().mode_step < confirm_step || !loss.in_step) return;
  const double share = state.large.limit == largest_gain ? learned : nothing_left;
  if (!(loss.recent_mean(few) > share * detail::level_of_usual_labels(step.facts()))) return;
  out.push_back({.tensor = state.large.tensor,
                 .value = state.large.value,
                 .threshold = state.large.limit,
                 .message = state.large.text + "; try the initialisation of Kaiming or Xavier"});
}

/// Notes the largest weight of the first step if it is too large.
TENSORTAP_INLINE void PoorWeightInitialization::find_large(const JudgedStep& step) {
  detail::ElementCount elements(step);
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const auto rms = detail::rms_of(step, *weight);
    if (!rms || detail::contains_in_any_case(weight->name, "embed")) continue;
    if (largest_rms > 0 && step.facts().is_from_scratch && *rms > largest_rms) {
      if (state.large.limit != largest_rms || *rms > state.large.value)
        state.large = {weight->name, "the root mean square of its new elements was " + shortest(*rms), *rms,
                       largest_rms};
      continue;
    }
    const auto inputs = static_cast<double>(detail::layer_size_of(step, *weight, elements).inputs);
    const double gain = *rms * std::sqrt(inputs);
    if (largest_gain > 0 && state.large.limit != largest_rms && gain > std::max(largest_gain, state.large.value))
      state.large = {weight->name, "it multiplied the size of its inputs by " + shortest(gain) + " in the first step",
                     gain, largest_gain};
  }
}

/// Finds what is an error if the loss does not fall either; by the documented rule, at once.
TENSORTAP_INLINE void PoorWeightInitialization::judge_first_steps(const JudgedStep& step, std::vector<Finding>& out) {
  const auto add = [&](std::string tensor, std::string text, double value, double limit) {
    if (state.evidence.text.empty()) state.evidence = {tensor, text, value, limit};
    out.push_back({.severity = confirm_step > 0 ? Severity::advice : Severity::error,
                   .tensor = std::move(tensor),
                   .value = value,
                   .threshold = limit,
                   .message = std::move(text) + "; try the initialisation of Kaiming or Xavier"});
  };
  choice.use({}, activation_inputs_regex);
  std::vector<std::string_view> layers;
  if (choice.empty()) layers = detail::layers_with_weights(step);
  const KnownTensor* least = nullptr;
  double least_variance = 0;
  double largest_variance = 0;
  for (const KnownTensor* tensor : step.saved()) {
    const bool is_wanted = choice.empty() ? tensor->role == Role::layer_output &&
                                                std::binary_search(layers.begin(), layers.end(), tensor->subject)
                                          : choice.has(step, *tensor);
    const auto variance = is_wanted ? detail::variance_in(step, *tensor) : std::nullopt;
    if (!variance || (choice.empty() && *variance == 0)) continue;  // outputs of a last layer of zeros
    if (least == nullptr || *variance < least_variance) least = tensor, least_variance = *variance;
    largest_variance = std::max(largest_variance, *variance);
  }
  if (least != nullptr && largest_variance > threshold * least_variance)
    add(least->name,
        "its variance is " + shortest(least_variance) + ", while the largest of the layers is " +
            shortest(largest_variance),
        largest_variance / least_variance, threshold);

  const std::span<const LayerGradient> gradients = step.layer_gradients();
  if (const auto found = slope > 0 ? detail::slope_of(gradients) : std::nullopt; found && std::abs(*found) > slope)
    add(gradients.front().tensor->name,
        "the gradients change by a factor of " + shortest(std::exp(*found)) + " from layer to layer", *found,
        *found > 0 ? slope : -slope);
  if (distribution_range > 0)
    for (const KnownTensor* gradient : step.with_role(Role::gradient)) {
      const Tensor* const value = step.value(*gradient);
      const auto range = value != nullptr ? detail::range_of(*value) : std::nullopt;
      if (range && *range < distribution_range)
        add(gradient->name, "90 % of its elements lie within " + shortest(*range), *range, distribution_range);
    }

  const LossSeries& loss = step.facts().trained_loss();
  if (!loss.in_step) return;
  const auto chance = loss_factor > 0 ? step.facts().chance() : std::nullopt;
  if (chance && chance->level > 0 && loss.count == 1 && loss.first > loss_factor * chance->level)
    add(loss.tensor,
        "the first loss is " + shortest(loss.first) + ", while a constant prediction has " + shortest(chance->level),
        loss.first, loss_factor * chance->level);
  if (patience <= 0) return;
  const bool is_best = state.since_best < 0 || loss.now < state.best_loss;
  state.since_best = is_best ? 0 : state.since_best + 1;
  if (is_best) state.best_loss = loss.now;
  if (state.since_best >= patience)
    add(loss.tensor, "it has not fallen for " + std::to_string(state.since_best) + " steps", loss.now, state.best_loss);
}

TENSORTAP_INLINE void PoorWeightInitialization::visit(ParameterVisitor& visitor) {
  visitor("activation_inputs_regex", activation_inputs_regex,
          "names of the inputs of activations; empty: outputs of layers with weights");
  visitor("threshold", threshold, "a ratio of the largest to the smallest variance that is no finding yet");
  visitor("distribution_range", distribution_range,
          "percentile 95 less percentile 5 of a gradient that is enough; 0: off");
  visitor("patience", patience, "steps in which the loss must fall; 0: off");
  visitor("steps", steps, "the first steps of the mode, which are judged");
  visitor("slope", slope, "change of the logarithm of gradients from layer to layer; 0: off");
  visitor("loss_factor", loss_factor, "a first loss above this multiple of chance is an advice; 0: off");
  visitor("largest_rms", largest_rms, "the largest root mean square of a new weight that is no error; 0: off");
  visitor("largest_gain", largest_gain,
          "the largest root mean square of a weight, times the root of its inputs, that is no error; 0: off");
  visitor("confirm_step", confirm_step, "the step of the error; 0: findings of the first steps are errors");
}

TENSORTAP_END_NAMESPACE
