// The bodies of recent_window.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/recent_window.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the median. Changes the order. Empty: NaN.
inline double median_of(std::span<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return *middle / 2 + *std::max_element(values.begin(), middle) / 2;
}

}  // namespace detail

TENSORTAP_INLINE void RecentWindow::add(double value, std::size_t most) {
  most = std::clamp<std::size_t>(most, 1, limit);
  if (!std::isfinite(value)) return;
  if (values_.size() < most) {
    values_.push_back(value);
    next_ = values_.size() % most;
    return;
  }
  values_[next_] = value;
  next_ = (next_ + 1) % values_.size();
}

TENSORTAP_INLINE double RecentWindow::median() const {
  std::array<double, limit> copy{};
  std::copy(values_.begin(), values_.end(), copy.begin());
  return detail::median_of(std::span(copy.data(), values_.size()));
}

TENSORTAP_INLINE double RecentWindow::median_distance(double center) const {
  std::array<double, limit> copy{};
  std::transform(values_.begin(), values_.end(), copy.begin(), [&](double x) { return std::abs(x - center); });
  return detail::median_of(std::span(copy.data(), values_.size()));
}

TENSORTAP_INLINE void RecentWindow::exchange(RuleState& state) {
  state(values_)(next_);
  if (values_.size() > limit || next_ > values_.size()) clear();
}

TENSORTAP_END_NAMESPACE
