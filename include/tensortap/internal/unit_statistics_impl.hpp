// The record of the statistics of units.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The counts of a unit in the order of `unit_fields`.
inline constexpr std::array<std::uint64_t UnitStatistics::Unit::*, unit_fields.size() - 1> unit_counts = {
    &UnitStatistics::Unit::positive,
    &UnitStatistics::Unit::negative,
    &UnitStatistics::Unit::zeros,
    &UnitStatistics::Unit::nan,
    &UnitStatistics::Unit::infinite,
    &UnitStatistics::Unit::within_tanh_input,
    &UnitStatistics::Unit::within_sigmoid_input,
    &UnitStatistics::Unit::within_tanh_output,
    &UnitStatistics::Unit::within_sigmoid_output};

/// Returns the natural number that `x` is; nullopt if it is none.
inline std::optional<std::uint64_t> natural(double x) noexcept {
  if (!is_finite(x) || !(x >= 0) || !(x < 0x1p63)) return std::nullopt;
  const auto whole = static_cast<std::uint64_t>(x);
  if (static_cast<double>(whole) != x) return std::nullopt;
  return whole;
}

}  // namespace detail

TENSORTAP_INLINE double UnitStatistics::Unit::l2() const noexcept { return std::sqrt(sum_squares); }

TENSORTAP_INLINE void UnitStatistics::to_record(std::span<double> to) const noexcept {
  std::fill_n(to.begin(), unit_fields.size(), 0.0);
  to[0] = static_cast<double>(units);
  to[1] = static_cast<double>(per_unit);
  double* at = to.data() + unit_fields.size();
  for (const Unit& unit : list) {
    for (const auto count : detail::unit_counts) *at++ = static_cast<double>(unit.*count);
    *at++ = unit.sum_squares;
  }
}

TENSORTAP_INLINE std::optional<UnitStatistics> UnitStatistics::from_record(std::span<const double> record,
                                                                           std::size_t columns) {
  if (columns < unit_fields.size() || record.size() < columns || record.size() % columns != 0) return std::nullopt;
  const auto units = detail::natural(record[0]);
  const auto per_unit = detail::natural(record[1]);
  const std::size_t rows = record.size() / columns - 1;
  if (!units || !per_unit || rows != std::min<std::uint64_t>(*units, most_units)) return std::nullopt;
  UnitStatistics out{.units = *units, .per_unit = *per_unit};
  out.list.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const double> fields = record.subspan((row + 1) * columns, columns);
    Unit& unit = out.list[row];
    for (std::size_t i = 0; i < detail::unit_counts.size(); ++i) {
      const auto count = detail::natural(fields[i]);
      if (!count || *count > out.per_unit) return std::nullopt;
      unit.*detail::unit_counts[i] = *count;
    }
    unit.sum_squares = fields[detail::unit_counts.size()];
    if (unit.count() != out.per_unit || unit.infinite > unit.positive + unit.negative) return std::nullopt;
  }
  return out;
}

TENSORTAP_END_NAMESPACE
