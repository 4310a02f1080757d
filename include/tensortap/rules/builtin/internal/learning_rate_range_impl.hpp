// The bodies of learning_rate_range.hpp.
#pragma once

#include <cmath>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/learning_rate_range.hpp>
#include <tensortap/rules/internal/loss_value.hpp>
#include <tensortap/select/pattern.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr const char* learning_rates = "(^|[^A-Za-z])([Ll][Rr]|[Ll]earning_?[Rr]ate)([^A-Za-z]|$)";

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> LearningRateRange::required() const {
  return {{.name = "learning_rates",
           .include_regex = tensor_regex.empty() ? detail::learning_rates : tensor_regex,
           .save = every(1)}};
}

TENSORTAP_INLINE std::vector<Finding> LearningRateRange::operator()(const JudgedStep& step) {
  for (const double value : {smallest, largest})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  if (patience < 0) throw Error::bad_threshold(name, static_cast<double>(patience));
  std::vector<Finding> out;
  std::optional<Pattern> wanted;
  for (const KnownTensor* tensor : step.saved()) {
    while (state.in_a_row.size() <= tensor->id) state.in_a_row.push_back(-2);  // not looked at yet
    std::int64_t& in_a_row = state.in_a_row[tensor->id];
    if (in_a_row == -2) {
      if (!wanted) wanted.emplace(tensor_regex.empty() ? detail::learning_rates : tensor_regex);
      in_a_row = wanted->finds(tensor->name) ? 0 : -1;
    }
    if (in_a_row < 0) continue;
    const auto rate = detail::loss_in(step, *tensor);
    if (!rate || !std::isfinite(*rate)) continue;
    const bool is_small = *rate < smallest;
    in_a_row = is_small || *rate > largest ? in_a_row + 1 : 0;
    if (in_a_row == 0 || in_a_row < patience) continue;
    out.push_back({.severity = Severity::advice,
                   .tensor = tensor->name,
                   .value = *rate,
                   .threshold = is_small ? smallest : largest,
                   .message = "the learning rate is " + shortest(*rate) + (is_small ? ", so that little changes" : "") +
                              "; look at the schedule and its units"});
  }
  return out;
}

TENSORTAP_INLINE void LearningRateRange::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex, "names of learning rates; empty: lr or learning_rate as a word");
  visitor("smallest", smallest, "a rate below it is a finding");
  visitor("largest", largest, "a rate above it is a finding");
  visitor("patience", patience, "values in a row");
}

TENSORTAP_END_NAMESPACE
