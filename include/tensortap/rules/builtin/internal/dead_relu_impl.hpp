// The bodies of dead_relu.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/dead_relu.hpp>
#include <tensortap/rules/builtin/internal/activation_of.hpp>
#include <tensortap/rules/builtin/internal/layer_units.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/internal/zeros.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
TENSORTAP_INLINE DeadRelu DeadRelu::smdebug() {
  return {.tensor_regex = ".*relu_output",
          .threshold_inactivity = 1,
          .threshold_layer = 50,
          .threshold_advice = std::numeric_limits<double>::quiet_NaN(),
          .num_checks = 1,
          .save = every(500)};
}

TENSORTAP_INLINE std::vector<Collection> DeadRelu::required() const {
  return {{.name = "relu_output",
           .include_regex = tensor_regex.empty() ? std::string("[Rr][Ee][Ll][Uu].*_output") : tensor_regex,
           .save = save,
           .reductions = {Reduction::units}}};
}

TENSORTAP_INLINE std::vector<Finding> DeadRelu::operator()(const JudgedStep& step) {
  detail::require_percent(name, threshold_inactivity);
  detail::require_percent(name, threshold_layer);
  if (!std::isnan(threshold_advice)) detail::require_percent(name, threshold_advice);
  if (num_checks < 1) throw Error::bad_threshold(name, static_cast<double>(num_checks));
  std::vector<Finding> out;
  if (tensor_regex.empty() && step.step().mode != Mode::train && step.step().mode != Mode::global) return out;
  choice.use({}, tensor_regex);
  const KnownTensor* before = nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    if (choice.empty() ? !detail::is_of_layer(*tensor) : !choice.has(step, *tensor)) continue;
    if (tensor->id >= state.layers.size()) state.layers.resize(tensor->id + 1);
    Layer& layer = state.layers[tensor->id];
    const KnownTensor* const last = std::exchange(before, tensor);
    if (choice.empty() && detail::activation_of(step, *tensor, last, layer.activation, layer.tests) != Activation::relu)
      continue;
    if (const UnitStatistics* const units = step.units(*tensor)) {
      if (units->units == 0) continue;
      ++layer.checks;
      layer.last_active.resize(units->list.size());
      const double least = threshold_inactivity / 100 * static_cast<double>(units->per_unit);
      for (std::size_t unit = 0; unit < units->list.size(); ++unit) {
        const std::uint64_t active = units->per_unit - units->list[unit].zeros;
        if (active > 0 && static_cast<double>(active) >= least) layer.last_active[unit] = layer.checks;
      }
    } else if (const auto zeros = detail::percent_of_zeros(step, *tensor)) {
      ++layer.checks;
      layer.last_active.resize(1);
      if (*zeros < 100) layer.last_active[0] = layer.checks;
    } else {
      continue;
    }
    const double dead = detail::share_inactive(layer.last_active, layer.checks, num_checks);
    const bool is_error = dead > threshold_layer;
    if (!is_error && !(dead > threshold_advice)) continue;
    const bool is_literal = std::isnan(threshold_advice);
    out.push_back({.severity = !is_error    ? Severity::advice
                               : is_literal ? Severity::error
                                            : detail::severity_in(step.facts()),
                   .tensor = tensor->name,
                   .value = dead,
                   .threshold = is_error ? threshold_layer : threshold_advice,
                   .message = shortest(dead) + " % of its " + std::to_string(layer.last_active.size()) +
                              " units were dead in the last " + std::to_string(num_checks) +
                              " checks; try a lower learning rate, initial biases of 0, or LeakyReLU"});
  }
  return out;
}

TENSORTAP_INLINE void DeadRelu::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex, "names of outputs; empty: those that are known to be of ReLU");
  visitor("threshold_inactivity", threshold_inactivity, "percent of active values, below which a unit is dead");
  visitor("threshold_layer", threshold_layer, "percent of dead units that is no finding yet");
  visitor("threshold_advice", threshold_advice, "percent of dead units that is no advice yet");
  visitor("num_checks", num_checks, "how many steps in a row a unit must be dead");
}

TENSORTAP_END_NAMESPACE
