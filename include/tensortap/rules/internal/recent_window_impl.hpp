// The bodies of recent_window.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/median.hpp>
#include <tensortap/rules/recent_window.hpp>

TENSORTAP_BEGIN_NAMESPACE

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
