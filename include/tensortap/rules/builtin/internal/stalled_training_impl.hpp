// The bodies of stalled_training.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/stalled_training.hpp>
#include <tensortap/rules/internal/loss_value.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr const char* wall_times = "(^|[^A-Za-z])(wall_?time|timestamp)([^A-Za-z]|$)";

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> StalledTrainingRule::required() const {
  return {
      {.name = "times", .include_regex = tensor_regex.empty() ? detail::wall_times : tensor_regex, .save = every(1)}};
}

TENSORTAP_INLINE std::vector<Finding> StalledTrainingRule::operator()(const JudgedStep& step) {
  if (!(threshold >= 0)) throw Error::bad_threshold(name, threshold);
  if (state.tensor.empty()) {
    std::optional<Pattern> wanted;
    const std::int64_t known = state.names;
    for (const KnownTensor* tensor : step.saved()) {
      const auto id = static_cast<std::int64_t>(tensor->id);
      if (id < known) continue;  // looked at in an earlier step
      state.names = std::max(state.names, id + 1);
      if (!wanted) wanted.emplace(tensor_regex.empty() ? detail::wall_times : tensor_regex);
      if (state.tensor.empty() && wanted->finds(tensor->name)) state.tensor = tensor->name;
    }
  }
  const KnownTensor* const tensor = state.tensor.empty() ? nullptr : step.find(state.tensor);
  const auto now = tensor == nullptr ? std::optional<double>() : detail::loss_in(step, *tensor);
  if (!now || !std::isfinite(*now) || *now < state.last) return {};
  const double before = state.last;
  state.last = *now;
  if (before < 0 || *now - before <= threshold) return {};
  return {{.tensor = tensor->name,
           .value = *now - before,
           .threshold = threshold,
           .message = "this step came " + shortest(*now - before) +
                      " seconds after the one before it; look at the loading of data and at other processes"}};
}

TENSORTAP_INLINE void StalledTrainingRule::visit(ParameterVisitor& visitor) {
  visitor("threshold", threshold, "seconds between steps; a longer pause is a finding");
  visitor("tensor_regex", tensor_regex, "the name of the time; empty: wall_time or timestamp as a word");
}

TENSORTAP_END_NAMESPACE
