// The bodies of gradient_noise_scale.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/gradient_noise_scale.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> GradientNoiseScale::required() const {
  if (small_regex.empty() || large_regex.empty()) return {};
  return {{.name = "gradients_of_two_batches",
           .include_regex = small_regex + "|" + large_regex,
           .save = every(1),
           .reductions = {Reduction::l2}}};
}

TENSORTAP_INLINE std::vector<Finding> GradientNoiseScale::operator()(const JudgedStep& step) {
  if (!(factor >= 0)) throw Error::bad_threshold(name, factor);
  for (const std::int64_t value : {small_batch, large_batch, patience})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  if (small_regex.empty() || large_regex.empty() || small_batch < 1 || large_batch <= small_batch) return {};
  std::array<double, 2> squares = {};
  std::array<std::int64_t, 2> tensors = {};
  for (const KnownTensor* tensor : step.saved()) {
    if (tensor->id >= state.kinds.size()) state.kinds.resize(tensor->id + 1);
    std::uint8_t& kind = state.kinds[tensor->id];
    if (kind == 0)
      kind = Pattern(small_regex).finds(tensor->name) ? 1 : Pattern(large_regex).finds(tensor->name) ? 2 : 3;
    if (kind == 3) continue;
    const Statistics* const s = step.statistics(*tensor);
    const auto norm =
        s != nullptr && s->non_finite() == 0 ? std::optional<double>(s->l2()) : step.reduction(*tensor, Reduction::l2);
    if (!norm || !std::isfinite(*norm)) return {};
    squares[kind - 1U] += *norm * *norm;
    ++tensors[kind - 1U];
  }
  if (tensors[0] == 0 || tensors[0] != tensors[1]) return {};
  const auto of_small = static_cast<double>(small_batch);
  const auto large = static_cast<double>(large_batch);
  const double weight = std::max(0.05, 1 / static_cast<double>(++state.steps));
  state.signal += weight * ((large * squares[1] - of_small * squares[0]) / (large - of_small) - state.signal);
  state.noise += weight * ((squares[0] - squares[1]) / (1 / of_small - 1 / large) - state.noise);
  if (state.steps < patience || !(state.noise > 0)) return {};
  // A signal that is not positive is lost in the noise: the scale is larger than can be measured.
  const double scale = state.signal > 0 ? state.noise / state.signal : std::numeric_limits<double>::infinity();
  const bool is_small = scale > factor * large;
  if (!is_small && !(large > factor * scale)) return {};
  return {{.severity = Severity::advice,
           .value = scale,
           .threshold = is_small ? factor * large : large / factor,
           .message = "the noise scale of the gradients is " + shortest(scale) + ", and the batch has " +
                      std::to_string(large_batch) + " examples; " +
                      (is_small ? "take larger batches or a smaller learning rate" : "smaller batches learn as much")}};
}

TENSORTAP_INLINE void GradientNoiseScale::visit(ParameterVisitor& visitor) {
  visitor("small_regex", small_regex, "gradients over the smaller batch");
  visitor("large_regex", large_regex, "gradients over the larger batch");
  visitor("small_batch", small_batch, "examples in the smaller batch");
  visitor("large_batch", large_batch, "examples in the larger batch");
  visitor("factor", factor, "the largest factor between the batch and the noise scale");
  visitor("patience", patience, "steps before the first verdict");
}

TENSORTAP_END_NAMESPACE
