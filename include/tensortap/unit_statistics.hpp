// The statistics of each unit of a layer, and the record in which they are stored: of outputs [batch, units] those of
// each column, of images [batch, channels, height, width] those of each channel. They show dead and saturated units
// without the elements. reduce/units.hpp computes them.
//
//   const tensortap::UnitStatistics s = tensortap::unit_statistics(view);
//   for (const auto& unit : s.list)
//     if (unit.zeros == unit.count()) std::cout << "a dead unit, of " << s.units << '\n';
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Names the fields of the record `smdebug/reductions/units/NAME`, a float64 matrix. Its first row has the number of
/// units and the number of elements of each, then zeros. Each further row is a unit, in order, with these fields. Later
/// versions may append fields; these keep their places.
///
/// | index | field | meaning |
/// |---|---|---|
/// | 0 | positive | number of elements above 0, infinity included |
/// | 1 | negative | number of elements below 0, infinity included |
/// | 2 | zeros | number of elements that are 0 or -0 |
/// | 3 | nan | number of NaNs |
/// | 4 | infinite | number of infinities |
/// | 5 | within_tanh_input | how many lie between -4.1469 and 4.1469: tanh has more than 0.001 of its slope there |
/// | 6 | within_sigmoid_input | how many lie between -8.2938 and 8.2938: so has the sigmoid |
/// | 7 | within_tanh_output | how many lie between the tanh of the limits of 5 |
/// | 8 | within_sigmoid_output | how many lie between the sigmoid of the limits of 6 |
/// | 9 | sum_squares | sum of the squares of the finite elements |
inline constexpr std::array<std::string_view, 10> unit_fields = {"positive",
                                                                 "negative",
                                                                 "zeros",
                                                                 "nan",
                                                                 "infinite",
                                                                 "within_tanh_input",
                                                                 "within_sigmoid_input",
                                                                 "within_tanh_output",
                                                                 "within_sigmoid_output",
                                                                 "sum_squares"};

/// Statistics of the units of a tensor: along its second axis if it has four or more, else along its last one.
/// Numeric: counts are exact, and compare each element with the limits as float64; an element that is a limit, and NaN,
/// is not between them. Integers beyond 2^53 are rounded to float64 first. sum_squares has a relative error of at most
/// 1e-12. Empty: a tensor without elements, or of rank 0, has no units.
struct UnitStatistics {
  static constexpr std::size_t most_units = 4096;

  // The limits of saturation: where the slope falls to 0.001 of the largest, and what the functions give there.
  static constexpr double tanh_input = 4.1469;
  static constexpr double sigmoid_input = 8.2938;
  static constexpr double tanh_output = 0.9995000001955276;
  static constexpr double sigmoid_output_low = 0.00024999990223617096;
  static constexpr double sigmoid_output_high = 0.9997500000977639;

  /// One unit.
  struct Unit {
    std::uint64_t positive = 0;
    std::uint64_t negative = 0;
    std::uint64_t zeros = 0;
    std::uint64_t nan = 0;
    std::uint64_t infinite = 0;
    std::uint64_t within_tanh_input = 0;
    std::uint64_t within_sigmoid_input = 0;
    std::uint64_t within_tanh_output = 0;
    std::uint64_t within_sigmoid_output = 0;
    double sum_squares = 0;

    /// The number of elements.
    [[nodiscard]] std::uint64_t count() const noexcept { return positive + negative + zeros + nan; }
    /// The number of NaNs and infinities.
    [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + infinite; }
    /// The euclidean norm of the finite elements.
    [[nodiscard]] double l2() const noexcept;

    friend bool operator==(const Unit&, const Unit&) = default;
  };

  std::uint64_t units = 0;      ///< in the tensor
  std::uint64_t per_unit = 0;   ///< elements of a unit
  std::vector<Unit> list = {};  ///< of the first 4096 units

  /// The number of rows of the record; it has one column for each of `unit_fields`.
  [[nodiscard]] std::size_t record_rows() const noexcept { return list.size() + 1; }
  /// Writes the record, row by row. `to` has room for all of its numbers.
  void to_record(std::span<double> to) const noexcept;
  /// Reads a record of this version or a later one, whose rows have `columns` numbers. Returns nothing if it is too
  /// short or holds impossible counts.
  [[nodiscard]] static std::optional<UnitStatistics> from_record(std::span<const double> record, std::size_t columns);

  friend bool operator==(const UnitStatistics&, const UnitStatistics&) = default;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/unit_statistics_impl.hpp>
#endif
