// The median of numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the median of finite values, of two the mean. Changes their order. Empty: NaN.
inline double median_of(std::span<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return *middle / 2 + *std::max_element(values.begin(), middle) / 2;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
