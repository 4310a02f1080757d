// The text of a hook's cost.
#pragma once

#include <chrono>
#include <cmath>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/hook_cost.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns `part` of `whole` in percent, "0.8 %".
inline std::string percent_text(std::chrono::nanoseconds part, std::chrono::nanoseconds whole) {
  if (whole.count() <= 0 || part.count() <= 0) return "0 %";
  const auto tenths = std::llround(1000 * static_cast<double>(part.count()) / static_cast<double>(whole.count()));
  if (tenths == 0) return "under 0.1 %";
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

}  // namespace detail

TENSORTAP_INLINE std::string to_string(const HookCost& cost) {
  return detail::percent_text(cost.in_training, cost.elapsed) + " of the time of training; its writer " +
         detail::percent_text(cost.writing, cost.elapsed) + " of a processor";
}

TENSORTAP_END_NAMESPACE
