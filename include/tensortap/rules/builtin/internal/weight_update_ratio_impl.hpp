// The bodies of weight_update_ratio.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/builtin/weight_update_ratio.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::size_t most_update_ratios = 9;

/// Returns whether a loss is what it was at the beginning, by 5 %, and more than half of what it should leave: its
/// first value, if the weights were new, else the level of chance. In fine-tuning, a low loss need not move. A loss
/// near its least differs by its own size from batch to batch; such a one is left out.
inline bool has_not_moved(const TrainingFacts& facts) {
  constexpr std::size_t few = 20;
  const LossSeries& loss = facts.trained_loss();
  const std::span<const double> means = loss.history.means;
  const std::size_t part = means.size() / 5;
  if (loss.kept() < few || part == 0 || (!facts.is_from_scratch && !facts.chance())) return false;
  const Fall whole = fall_between(means.first(part), means.last(part));
  double squares = 0;
  for (const double x : loss.recent) squares += (x - whole.to) * (x - whole.to);
  const bool is_noise = squares > 0.25 * whole.to * whole.to * static_cast<double>(loss.kept());
  const bool is_low = whole.to < 0.5 * (facts.is_from_scratch ? loss.first : facts.trained_from());
  return whole.from > 0 && std::abs(whole.by()) < 0.05 * whole.from && !is_noise && !is_low;
}

}  // namespace detail

TENSORTAP_INLINE WeightUpdateRatio WeightUpdateRatio::smdebug() {
  return {.large_threshold = 10, .small_threshold = 1e-8, .num_checks = 0, .save = every(500)};
}

TENSORTAP_INLINE std::vector<Collection> WeightUpdateRatio::required() const {
  if (num_checks == 0) return {{.name = "weights", .save = save}};
  return {{.name = "weights", .save = save, .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE std::size_t WeightUpdateRatio::needed() const {
  return std::min(static_cast<std::size_t>(num_checks), detail::most_update_ratios);
}

TENSORTAP_INLINE std::vector<Finding> WeightUpdateRatio::operator()(const JudgedStep& step) {
  for (const double one : {large_threshold, small_threshold, epsilon, static_cast<double>(num_steps),
                           static_cast<double>(num_checks), static_cast<double>(start_step)})
    if (!(one >= 0)) throw Error::bad_threshold(name, one);
  std::vector<Finding> out;
  const Mode mode = step.step().mode;
  if (mode == Mode::train && !state.has_trained) state = {.has_trained = true};  // GLOBAL steps have other numbers
  if (mode != (state.has_trained ? Mode::train : Mode::global)) return out;
  const auto weights = step.with_role(Role::weight);
  for (const KnownTensor* weight : weights)
    if (num_checks == 0)
      judge_pair(step, *weight, out);
    else
      judge_median(step, *weight, out);
  if (num_checks > 0 && detail::has_not_moved(step.facts())) judge_all(step, out);
  return out;
}

TENSORTAP_INLINE void WeightUpdateRatio::judge_pair(const JudgedStep& step, const KnownTensor& weight,
                                                    std::vector<Finding>& out) {
  const Tensor* const value = step.value(weight);
  if (value == nullptr || value->dtype() == DType::string) return;
  const std::int64_t now = step.step().mode_step;
  if (weight.id >= state.values.size()) state.values.resize(weight.id + 1);
  ValueHistory& history = state.values[weight.id];
  constexpr std::size_t most_values = 64;
  history.add(*value, now, num_steps == 0 ? 2 : most_values);
  while (num_steps > 0 && history.values().size() > 1 && history.values().front().mode_step < now - num_steps)
    history.forget(1);
  const ValueHistory::Value& before = history.values().front();
  const ValueHistory::Value& last = history.values().back();
  if (history.values().size() < 2 || before.size != last.size || last.elements.empty()) return;
  double change = 0;
  double size = 0;
  for (std::size_t i = 0; i < last.elements.size(); ++i) {
    change += std::abs(last.elements[i] - before.elements[i]);
    size += std::abs(last.elements[i]);
  }
  const auto count = static_cast<double>(last.elements.size());
  const double ratio = change / count / (size / count + epsilon);
  const bool is_large = ratio > large_threshold;
  if (!is_large && !(ratio < small_threshold)) return;
  out.push_back({.tensor = weight.name,
                 .value = ratio,
                 .threshold = is_large ? large_threshold : small_threshold,
                 .message = "it changed by " + shortest(ratio) + " of its size since step " +
                            std::to_string(before.mode_step) +
                            (is_large ? "; try a lower learning rate" : "; try a higher learning rate")});
}

TENSORTAP_INLINE void WeightUpdateRatio::judge_median(const JudgedStep& step, const KnownTensor& weight,
                                                      std::vector<Finding>& out) {
  const TensorChange* const change = step.change(weight);
  if (change == nullptr || change->steps <= 0 || step.step().mode_step < start_step) return;
  if (weight.id >= state.ratios.size()) state.ratios.resize(weight.id + 1);
  RecentWindow& ratios = state.ratios[weight.id];
  ratios.add(change->rms / (change->rms_before + epsilon) / static_cast<double>(change->steps),
             detail::most_update_ratios);
  if (ratios.size() < needed()) return;
  const double ratio = ratios.median();
  const bool is_large = ratio > large_threshold;
  const bool is_small = ratio < small_threshold && !change->is_bound && ratio > 0 &&  // see UnchangedTensor for 0
                        !detail::is_learning(step.facts());
  if (!is_large && !is_small) return;
  out.push_back({.severity = is_large ? detail::severity_in(step.facts()) : Severity::advice,
                 .tensor = weight.name,
                 .value = ratio,
                 .threshold = is_large ? large_threshold : small_threshold,
                 .message = "a step changes it by " + shortest(ratio) + " of its size, the median of " +
                            std::to_string(ratios.size()) + " checks" +
                            (is_large ? "; try a lower learning rate" : "; try a higher learning rate")});
}

TENSORTAP_INLINE void WeightUpdateRatio::judge_all(const JudgedStep& step, std::vector<Finding>& out) const {
  constexpr double several = 10;  // all weights at once are more than one of them
  const KnownTensor* largest = nullptr;
  double ratio = 0;
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    const TensorChange* const change = step.change(*weight);
    const bool is_known = change != nullptr && !change->is_bound && weight->id < state.ratios.size();
    if (!is_known || state.ratios[weight->id].size() < needed()) return;
    const double median = state.ratios[weight->id].median();
    if (largest == nullptr || median > ratio) largest = weight, ratio = median;
  }
  if (largest == nullptr || !(ratio > 0) || ratio >= several * small_threshold) return;
  out.push_back({.tensor = largest->name,
                 .value = ratio,
                 .threshold = several * small_threshold,
                 .message = "a step changes it by " + shortest(ratio) +
                            " of its size, and every other weight by less, and the loss is what it was at the "
                            "beginning; try a higher learning rate, and see whether the loss is scaled or clipped"});
}

TENSORTAP_INLINE void WeightUpdateRatio::visit(ParameterVisitor& visitor) {
  visitor("num_steps", num_steps, "compares with the first saved step at most so many steps ago; 0: the last one");
  visitor("large_threshold", large_threshold, "a ratio above it is a finding");
  visitor("small_threshold", small_threshold, "a ratio below it is a finding");
  visitor("epsilon", epsilon, "is added to the size of the weights");
  visitor("num_checks", num_checks, "the least number of pairs, at most 9; 0: each pair by itself, as documented");
  visitor("start_step", start_step, "the first step of the mode that counts, unless num_checks is 0");
}

TENSORTAP_END_NAMESPACE
