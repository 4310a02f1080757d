// Lists of step numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

using Steps = std::vector<std::int64_t>;

/// Returns 0 ... `last`.
inline Steps up_to(std::int64_t last) {
  Steps out(static_cast<std::size_t>(last + 1));
  std::iota(out.begin(), out.end(), 0);
  return out;
}
