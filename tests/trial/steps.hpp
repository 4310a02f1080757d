// Lists of steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

using Steps = std::vector<std::int64_t>;

/// 0 ... `last`.
inline Steps up_to(std::int64_t last) {
  Steps out(static_cast<std::size_t>(last + 1));
  std::iota(out.begin(), out.end(), 0);
  return out;
}
