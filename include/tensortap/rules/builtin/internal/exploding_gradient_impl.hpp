// The bodies of exploding_gradient.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/exploding_gradient.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the loss is not finite, or its average has risen above its best by a fifth.
inline bool is_rising(const TrainingFacts& facts) {
  const LossSeries& loss = facts.trained_loss();
  if (loss.in_step && !std::isfinite(loss.now)) return true;
  return loss.count > 0 && loss.smooth > loss.best_smooth + 0.2 * std::abs(loss.best_smooth);
}

/// Returns a number of the gradient that is not finite, or how many elements are not; nullopt if all are.
inline std::optional<double> non_finite_in(const JudgedStep& step, const KnownTensor& gradient) {
  if (const Statistics* const s = step.statistics(gradient))
    return s->non_finite() > 0 ? std::optional(static_cast<double>(s->non_finite())) : std::nullopt;
  const auto size = step.reduction(gradient, Reduction::abs_mean);
  return size && !std::isfinite(*size) ? size : std::nullopt;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> ExplodingGradient::required() const {
  return {{.name = "gradients", .save = save, .reductions = {Reduction::statistics}},
          {.name = "losses", .save = every(1)}};
}

TENSORTAP_INLINE std::vector<Finding> ExplodingGradient::operator()(const JudgedStep& step) {
  constexpr std::size_t window = 64;
  constexpr std::size_t active_at = 8;
  if (!(factor > 0)) throw Error::bad_threshold(name, factor);
  std::vector<Finding> out;
  if (step.step().mode != Mode::train && step.step().mode != Mode::global) return out;
  for (const KnownTensor* gradient : step.with_role(Role::gradient))
    if (const auto bad = detail::non_finite_in(step, *gradient))
      out.push_back({.tensor = gradient->name,
                     .value = *bad,
                     .message = "it is not finite; try a lower learning rate or clipping, and see ExplodingTensor"});
  const LayerGradient* const largest = detail::largest_layer(step.layer_gradients());
  if (largest == nullptr) return out;
  const double median = state.sizes.median();
  const bool is_above = state.sizes.size() >= active_at && largest->rms > factor * median;
  state.above = is_above ? state.above + 1 : 0;
  state.sizes.add(largest->rms, window);
  if (!is_above || state.above < num_checks || !detail::is_rising(step.facts())) return out;
  out.push_back({.tensor = largest->tensor->name,
                 .value = largest->rms,
                 .threshold = factor * median,
                 .message = "its root mean square is " + shortest(largest->rms) +
                            ", while the running median of the largest gradient is " + shortest(median) +
                            ", and the loss rises; try a lower learning rate, or clip the gradient"});
  return out;
}

TENSORTAP_INLINE void ExplodingGradient::visit(ParameterVisitor& visitor) {
  visitor("factor", factor, "a multiple of the running median of the largest gradient");
  visitor("num_checks", num_checks, "how many steps in a row");
}

TENSORTAP_END_NAMESPACE
