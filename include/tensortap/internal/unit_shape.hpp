// The units of a layer: the columns of a matrix with one row for each example, or the channels of images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tensortap/internal/config.hpp>

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
  explicit UnitShape(std::span<const std::int64_t> shape) noexcept {
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

}  // namespace detail
TENSORTAP_END_NAMESPACE
