// The units of a layer: the columns of a matrix with one row for each example, or the channels of images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// How the elements of an output of a layer belong to its units: element ((row * units) + unit) * inner + i is of
/// `unit`.
struct UnitShape {
  static constexpr std::size_t most_units = 4096;

  std::size_t rows = 0;
  std::size_t units = 0;
  std::size_t inner = 1;

  /// Tells the units from the shape: of [batch, channels, height, width] and more axes, the channels; else the last
  /// axis.
  explicit UnitShape(const std::vector<std::int64_t>& shape) {
    if (shape.empty()) return;
    const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
    const std::size_t axis = shape.size() >= 4 ? 1 : shape.size() - 1;
    rows = 1;
    for (std::size_t i = 0; i < axis; ++i) rows *= extent(i);
    units = extent(axis);
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= extent(i);
    if (rows * inner == 0) units = 0;
  }

  [[nodiscard]] std::size_t judged() const noexcept { return std::min(units, most_units); }
  /// The number of elements of a unit.
  [[nodiscard]] std::size_t per_unit() const noexcept { return rows * inner; }
};

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
