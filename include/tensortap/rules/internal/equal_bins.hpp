// Counts of numbers in bins of equal width.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Counts in bins of equal width from the least number to the largest.
class Bins {
 public:
  Bins(std::span<const double> numbers, std::size_t count) : counts_(count) {
    for (const double x : numbers) {
      if (!std::isfinite(x)) continue;
      low_ = std::isnan(low_) ? x : std::min(low_, x);
      high_ = std::isnan(high_) ? x : std::max(high_, x);
    }
    for (const double x : numbers)
      if (const auto bin = of(x)) ++counts_[*bin];
  }

  /// Returns the bin of a number; nullopt if it is not finite or in none.
  [[nodiscard]] std::optional<std::size_t> of(double x) const {
    if (!std::isfinite(x) || !(x >= low_ && x <= high_)) return std::nullopt;
    if (!(high_ > low_)) return 0;
    const double place = (x / 2 - low_ / 2) / (high_ / 2 - low_ / 2) * static_cast<double>(counts_.size());
    return std::min(static_cast<std::size_t>(place), counts_.size() - 1);
  }

  [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }
  [[nodiscard]] const std::vector<std::int64_t>& counts() const noexcept { return counts_; }
  [[nodiscard]] std::vector<double> edges() const {
    std::vector<double> out;
    for (std::size_t i = 0; i <= counts_.size(); ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(counts_.size());
      out.push_back(low_ * (1 - part) + high_ * part);
    }
    return out;
  }

 private:
  double low_ = std::numeric_limits<double>::quiet_NaN();
  double high_ = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::int64_t> counts_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
