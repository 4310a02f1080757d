// Counts of the elements of each unit of a layer, and units that have been inactive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/unit_shape.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Counts, for each unit that is judged, the elements for which `is_counted` is true, in `counts`.
template <class IsCounted>
void count_by_unit(const Tensor& tensor, const UnitShape& shape, std::vector<std::size_t>& counts,
                   IsCounted is_counted) {
  counts.assign(shape.judged(), 0);
  with_numbers(tensor, [&](auto elements) {
    if (elements.size() != shape.rows * shape.units * shape.inner) return;
    for (std::size_t row = 0; row < shape.rows; ++row)
      for (std::size_t unit = 0; unit < counts.size(); ++unit) {
        const auto first = elements.begin() + static_cast<std::ptrdiff_t>((row * shape.units + unit) * shape.inner);
        for (std::size_t i = 0; i < shape.inner; ++i)
          if (is_counted(static_cast<double>(first[static_cast<std::ptrdiff_t>(i)]))) ++counts[unit];
      }
  });
}

/// Returns the percentage of the units that were last active `checks` checks ago or more.
/// `now`: the number of the check at hand; the first one is 1.
inline double share_inactive(std::span<const std::int64_t> last_active, std::int64_t now, std::int64_t checks) {
  if (last_active.empty() || now < checks) return 0;
  const auto inactive =
      std::count_if(last_active.begin(), last_active.end(), [&](std::int64_t last) { return now - last >= checks; });
  return 100.0 * static_cast<double>(inactive) / static_cast<double>(last_active.size());
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
