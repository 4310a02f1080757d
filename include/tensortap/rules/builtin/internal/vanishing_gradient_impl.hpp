// The bodies of vanishing_gradient.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/vanishing_gradient.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> VanishingGradient::required() const {
  if (std::isnan(ratio_threshold) && std::isnan(zeros_threshold))
    return {{.name = collection, .save = save, .reductions = {Reduction::abs_mean}}};
  std::vector<Collection> out = {{.name = collection, .save = save, .reductions = {Reduction::statistics}},
                                 {.name = "weights", .save = save, .reductions = {Reduction::statistics}},
                                 {.name = "losses", .save = every(1)}};
  return out;
}

TENSORTAP_INLINE std::vector<Finding> VanishingGradient::operator()(const JudgedStep& step) {
  if (!(threshold >= 0)) throw Error::bad_threshold(name, threshold);  // it would find nothing
  for (const double one : {ratio_threshold, update_threshold, zeros_threshold})
    if (one < 0) throw Error::bad_threshold(name, one);
  std::vector<Finding> out;
  if (step.step().mode == Mode::train || step.step().mode == Mode::global) judge_layers(step, out);
  const Severity plain =
      std::isnan(ratio_threshold) && std::isnan(zeros_threshold) ? Severity::error : Severity::advice;
  choice.use(collection, {});
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.has(step, *tensor)) continue;
    const Statistics* const s = step.statistics(*tensor);
    const auto mean = s == nullptr          ? step.reduction(*tensor, Reduction::abs_mean)
                      : s->non_finite() > 0 ? std::nullopt
                                            : std::optional<double>(s->abs_mean());
    if (!mean || !(*mean < threshold)) continue;
    // A last layer of zeros makes all other gradients zero in the first step.
    if (plain == Severity::advice && *mean == 0 && step.step().mode_step == 0) continue;
    out.push_back({.severity = plain,
                   .tensor = tensor->name,
                   .value = *mean,
                   .threshold = threshold,
                   .message = "its mean magnitude is " + shortest(*mean) + ", below " + shortest(threshold) +
                              "; look at the layers behind it, for saturated and dead units"});
  }
  return out;
}

TENSORTAP_INLINE void VanishingGradient::judge_layers(const JudgedStep& step, std::vector<Finding>& out) {
  constexpr std::size_t most_checks = 9;
  constexpr std::int64_t zeros_start = 50;  // before, units may be dead that soon recover
  for (const KnownTensor* weight : step.with_role(Role::weight))
    (void)step.change(*weight);  // in each step, as others do
  const std::span<const LayerGradient> gradients = step.layer_gradients();
  const double largest = detail::largest_rms(gradients);
  const std::size_t layers = gradients.size();
  const auto least = static_cast<std::size_t>(std::clamp<std::int64_t>(num_checks, 1, most_checks));
  for (std::size_t i = 0; i < layers; ++i) {
    const LayerGradient& gradient = gradients[i];
    if (gradient.tensor->id >= state.layers.size()) state.layers.resize(gradient.tensor->id + 1);
    Layer& layer = state.layers[gradient.tensor->id];
    const bool is_embedding = detail::is_embedding(*gradient.tensor);
    layer.ratios.add(largest > 0 ? gradient.rms / largest : 0, most_checks);
    const TensorChange* const change = gradient.weight == nullptr ? nullptr : step.change(*gradient.weight);
    if (change != nullptr && !change->is_bound && change->rms_before > 0 && change->steps > 0)
      layer.updates.add(change->rms / change->rms_before / static_cast<double>(change->steps), most_checks);
    const Statistics* const s = step.statistics(*gradient.tensor);
    const double zeros = s == nullptr ? 0 : 100.0 * static_cast<double>(s->zeros) / static_cast<double>(s->count);
    layer.zero_checks = zeros >= zeros_threshold ? layer.zero_checks + 1 : 0;

    const double ratio = layer.ratios.median();
    const double update = layer.updates.median();
    const bool is_early = 2 * i < layers && layers > 1;
    if (is_early && layer.ratios.size() >= least && ratio < ratio_threshold) {
      const bool moves = !std::isnan(update) && !(update < update_threshold);
      out.push_back({.severity = moves ? Severity::advice : detail::severity_in(step.facts()),
                     .tensor = gradient.tensor->name,
                     .value = ratio,
                     .threshold = ratio_threshold,
                     .message = "its gradient is " + shortest(ratio) + " of the largest one, the median of " +
                                std::to_string(layer.ratios.size()) + " checks" +
                                (std::isnan(update) ? "" : ", and a step changes its weights by " + shortest(update)) +
                                "; try ReLU or a normalisation, residual connections, or larger initial weights"});
    } else if (i > 0 && !is_embedding && layer.zero_checks >= static_cast<std::int64_t>(least) &&
               step.step().mode_step >= zeros_start && !detail::is_learning(step.facts())) {
      out.push_back({.severity = detail::is_stuck(step.facts()) ? Severity::error : Severity::advice,
                     .tensor = gradient.tensor->name,
                     .value = zeros,
                     .threshold = zeros_threshold,
                     .message = shortest(zeros) + " % of its gradient are exactly zero, in " +
                                std::to_string(layer.zero_checks) +
                                " checks in a row; look for dead or saturated units, and for what cuts the graph"});
    }
  }
}

TENSORTAP_INLINE void VanishingGradient::visit(ParameterVisitor& visitor) {
  visitor("threshold", threshold, "a mean magnitude below it is a finding");
  visitor("collection", collection, "the tensors that are compared with threshold");
  visitor("ratio_threshold", ratio_threshold, "the least ratio of an early layer's gradient to the largest one");
  visitor("update_threshold", update_threshold, "a change of weights in a step, relative to them, that is hardly any");
  visitor("zeros_threshold", zeros_threshold, "the share of exact zeros that is a finding, in percent");
  visitor("num_checks", num_checks, "the least number of checks for ratios and zeros, at most 9");
}

TENSORTAP_END_NAMESPACE
