// The bodies of loss_spike.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/loss_spike.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> LossSpike::required() const { return {detail::every_loss()}; }

TENSORTAP_INLINE std::vector<Finding> LossSpike::operator()(const JudgedStep& step) const {
  if (!(deviations >= 0)) throw Error::bad_threshold(name, deviations);
  if (start < 0) throw Error::bad_threshold(name, static_cast<double>(start));
  const LossSeries* const series = detail::trained_loss_in(step);
  if (series == nullptr || !std::isfinite(series->now) || series->count <= std::max<std::int64_t>(start, 2)) return {};
  std::array<double, LossSeries::most_recent> last = {};
  const std::span<double> values(last.data(), series->kept() - 1);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = series->before(i + 1);
  const double median = detail::median_of(values);
  const double excess = series->now - median;
  if (!(excess > 0.05 * std::abs(series->first))) return {};
  for (double& x : values) x = std::abs(x - median);
  const double limit = deviations * 1.4826 * detail::median_of(values);
  if (!(excess > limit)) return {};
  return {{.severity = Severity::advice,
           .tensor = series->tensor,
           .value = series->now,
           .threshold = median + limit,
           .message = "it is " + shortest(series->now) + ", and usually about " + shortest(median) +
                      "; look at the examples of this step, and clip the gradients"}};
}

TENSORTAP_INLINE void LossSpike::visit(ParameterVisitor& visitor) {
  visitor("deviations", deviations, "robust standard deviations above the median");
  visitor("start", start, "values before the first verdict");
}

TENSORTAP_END_NAMESPACE
