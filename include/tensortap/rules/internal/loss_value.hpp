// The value of a loss in a step.
#pragma once

#include <limits>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the value of a loss: its mean if it has several elements; NaN if one of them is not finite.
inline std::optional<double> loss_in(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count == 0) return std::nullopt;
    return s->non_finite() > 0 ? std::numeric_limits<double>::quiet_NaN() : s->mean();
  }
  return step.reduction(tensor, Reduction::mean);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
