// Reference values of the reductions.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include <tensortap/reduce/internal/lanes.hpp>

namespace expected {

inline constexpr double inf = std::numeric_limits<double>::infinity();

/// Returns the relative error of `value`.
inline double error_of(double value, long double exact) {
  if (static_cast<long double>(value) == exact) return 0;
  return static_cast<double>(std::fabs((static_cast<long double>(value) - exact) / exact));
}

/// Adds doubles in the published order: blocks of 4096, lane j of row r is element 32r + j, lanes are added in halves,
/// blocks in pairs.
inline double tree_sum(std::span<const double> x) {
  using tensortap::detail::rounded;  // or compilers reorder this here under -ffast-math
  if (x.size() > 4096) {
    const std::size_t left = std::bit_floor((x.size() - 1) / 4096) * 4096;
    return rounded(tree_sum(x.first(left)) + tree_sum(x.subspan(left)));
  }
  std::array<double, 32> lanes{};
  for (std::size_t i = 0; i < x.size(); ++i) lanes[i % 32] = rounded(lanes[i % 32] + x[i]);
  for (std::size_t width = 16; width > 0; width /= 2)
    for (std::size_t j = 0; j < width; ++j) lanes[j] = rounded(lanes[j] + lanes[j + width]);
  return lanes[0];
}

}  // namespace expected
