// The bodies of saturated_activation.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/unit_shape.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/internal/activation_of.hpp>
#include <tensortap/rules/builtin/internal/layer_units.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/internal/zeros.hpp>
#include <tensortap/rules/builtin/saturated_activation.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the name tells a function that saturates.
inline bool saturates(const KnownTensor* tensor) {
  return tensor->activation == Activation::tanh || tensor->activation == Activation::sigmoid;
}

/// Returns whether the tensor holds the same numbers as the predictions.
inline bool is_prediction(const JudgedStep& step, const KnownTensor& tensor) {
  const Statistics* const s = step.statistics(tensor);
  if (s == nullptr) return false;
  for (const KnownTensor* other : step.with_role(Role::predictions))
    if (const Statistics* const p = step.statistics(*other); p != nullptr && p->count == s->count)
      if (p->sum == s->sum && p->max == s->max && p->min == s->min) return true;
  return false;
}

/// Returns whether a weight has less than `ratio` of the largest gradient.
inline bool some_gradient_vanishes(const JudgedStep& step, double ratio) {
  const std::span<const LayerGradient> gradients = step.layer_gradients();
  const double largest = largest_rms(gradients);
  return std::any_of(gradients.begin(), gradients.end(),
                     [&](const LayerGradient& one) { return one.rms < ratio * largest; });
}

}  // namespace detail

TENSORTAP_INLINE SaturatedActivation SaturatedActivation::smdebug() {
  return {.tensor_regex = ".*tanh_input|.*sigmoid_input",
          .threshold_tanh_min = -9.4999,
          .threshold_tanh_max = 9.4999,
          .threshold_sigmoid_min = -23,
          .threshold_sigmoid_max = 16.99999,
          .threshold_inactivity = 1,
          .threshold_layer = 50,
          .gradient_ratio = std::numeric_limits<double>::quiet_NaN(),
          .num_checks = 1};
}

TENSORTAP_INLINE std::vector<Collection> SaturatedActivation::required() const {
  std::vector<Collection> out = {
      {.name = "saturating_activations",
       .include_regex = tensor_regex.empty() ? std::string("([Tt]anh|[Ss]igmoid).*_output") : tensor_regex,
       .save = save,
       .reductions = has_usual_limits() ? Reductions{Reduction::statistics, Reduction::units} : Reductions()}};
  if (!std::isnan(gradient_ratio))
    out.push_back({.name = "gradients", .save = save, .reductions = {Reduction::statistics}});
  return out;
}

TENSORTAP_INLINE std::vector<Finding> SaturatedActivation::operator()(const JudgedStep& step) {
  detail::require_percent(name, threshold_inactivity);
  detail::require_percent(name, threshold_layer);
  if (num_checks < 1) throw Error::bad_threshold(name, static_cast<double>(num_checks));
  for (const double limit : {threshold_tanh_min, threshold_tanh_max, threshold_sigmoid_min, threshold_sigmoid_max})
    if (std::isnan(limit)) throw Error::bad_threshold(name, limit);
  std::vector<Finding> out;
  if (tensor_regex.empty() && step.step().mode != Mode::train && step.step().mode != Mode::global) return out;
  choice.use({}, tensor_regex);
  const auto outputs = step.with_role(Role::layer_output);
  const bool has_outputs = std::any_of(outputs.begin(), outputs.end(), detail::saturates);
  std::vector<std::size_t> active;
  const KnownTensor* before = nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    if (choice.empty() ? !detail::is_of_layer(*tensor) : !choice.has(step, *tensor)) continue;
    if (tensor->id >= state.layers.size()) state.layers.resize(tensor->id + 1);
    Layer& layer = state.layers[tensor->id];
    const KnownTensor* const last = std::exchange(before, tensor);
    Activation activation = tensor->activation;
    bool is_output = false;
    if (choice.empty()) {
      const Activation made_by = detail::activation_of(step, *tensor, last, layer.activation, layer.tests);
      is_output = made_by != Activation::none;
      if (is_output) activation = made_by;
      if (!is_output && has_outputs) continue;
    }
    if (activation != Activation::tanh && activation != Activation::sigmoid) continue;
    const std::size_t per_unit = count_unsaturated(step, *tensor, activation == Activation::tanh, is_output, active);
    if (per_unit == 0 || (choice.empty() && detail::is_prediction(step, *tensor))) continue;
    ++layer.checks;
    layer.last_active.resize(active.size());
    const double least = threshold_inactivity / 100 * static_cast<double>(per_unit);
    for (std::size_t unit = 0; unit < active.size(); ++unit)
      if (static_cast<double>(active[unit]) >= least) layer.last_active[unit] = layer.checks;
    const double saturated = detail::share_inactive(layer.last_active, layer.checks, num_checks);
    if (!(saturated > threshold_layer)) continue;
    const bool is_worthless =
        std::isnan(gradient_ratio) ||
        (!detail::is_learning(step.facts()) &&
         (detail::is_stuck(step.facts()) || detail::some_gradient_vanishes(step, gradient_ratio)));
    out.push_back({.severity = is_worthless ? Severity::error : Severity::advice,
                   .tensor = tensor->name,
                   .value = saturated,
                   .threshold = threshold_layer,
                   .message = shortest(saturated) + " % of its " + std::to_string(layer.last_active.size()) +
                              " units were saturated in the last " + std::to_string(num_checks) +
                              " checks; try smaller initial weights, normalised inputs, or ReLU"});
  }
  return out;
}

TENSORTAP_INLINE std::size_t SaturatedActivation::count_unsaturated(const JudgedStep& step, const KnownTensor& tensor,
                                                                    bool is_tanh, bool is_output,
                                                                    std::vector<std::size_t>& counts) const {
  using Unit = UnitStatistics::Unit;
  if (has_usual_limits()) {
    const UnitStatistics* const units = step.units(tensor);
    if (units == nullptr || units->units == 0) return 0;
    const auto count = is_output ? (is_tanh ? &Unit::within_tanh_output : &Unit::within_sigmoid_output)
                                 : (is_tanh ? &Unit::within_tanh_input : &Unit::within_sigmoid_input);
    counts.clear();
    for (const Unit& unit : units->list) counts.push_back(unit.*count);
    return units->per_unit;
  }
  const Tensor* const value = step.value(tensor);
  if (value == nullptr || value->dtype() == DType::string) return 0;
  const detail::UnitShape shape(value->shape());
  if (shape.units == 0) return 0;
  double low = is_tanh ? threshold_tanh_min : threshold_sigmoid_min;
  double high = is_tanh ? threshold_tanh_max : threshold_sigmoid_max;
  if (is_output)
    for (double* limit : {&low, &high}) *limit = is_tanh ? std::tanh(*limit) : 1 / (1 + std::exp(-*limit));
  detail::count_by_unit(*value, shape, counts, [&](double x) { return x > low && x < high; });
  return shape.per_unit();
}

TENSORTAP_INLINE bool SaturatedActivation::has_usual_limits() const noexcept {
  using S = UnitStatistics;
  return threshold_tanh_min == -S::tanh_input && threshold_tanh_max == S::tanh_input &&
         threshold_sigmoid_min == -S::sigmoid_input && threshold_sigmoid_max == S::sigmoid_input;
}

TENSORTAP_INLINE void SaturatedActivation::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex,
          "names of inputs; empty: outputs or inputs of layers named after tanh or sigmoid");
  visitor("threshold_tanh_min", threshold_tanh_min, "a lower input of tanh is saturated");
  visitor("threshold_tanh_max", threshold_tanh_max, "a higher input of tanh is saturated");
  visitor("threshold_sigmoid_min", threshold_sigmoid_min, "a lower input of sigmoid is saturated");
  visitor("threshold_sigmoid_max", threshold_sigmoid_max, "a higher input of sigmoid is saturated");
  visitor("threshold_inactivity", threshold_inactivity,
          "percent of inputs between the limits, below which a unit is saturated");
  visitor("threshold_layer", threshold_layer, "percent of saturated units that is no finding yet");
  visitor("gradient_ratio", gradient_ratio, "a weight with less of the largest gradient does not learn");
  visitor("num_checks", num_checks, "how many steps in a row a unit must be saturated");
}

TENSORTAP_END_NAMESPACE
