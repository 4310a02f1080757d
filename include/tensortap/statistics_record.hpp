// The statistics of the elements of a tensor, and the record in which they are stored. NaN and the infinities are
// counted, and everything else describes the finite elements: a tensor with one NaN still has a mean. (The single
// reductions of reduce/reduce.hpp propagate NaN.) reduce/statistics.hpp computes them.
//
//   tensortap::Statistics s = tensortap::statistics(gradient);
//   s = merge(s, tensortap::statistics(std::span(gradient).first(10)));   // and ten more elements
//   std::cout << s.mean() << " +- " << s.std() << ", norm " << s.l2() << '\n';
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Names the fields of the record `smdebug/reductions/statistics/NAME`, a float64 vector, in this order. Later versions
/// may append fields; these keep their places.
///
/// | index | field | meaning |
/// |---|---|---|
/// | 0 | count | number of elements |
/// | 1 | nan | how many of them are NaN |
/// | 2 | positive_inf | how many are +infinity |
/// | 3 | negative_inf | how many are -infinity |
/// | 4 | zeros | how many are 0 or -0 |
/// | 5 | first_non_finite | row-major index of the first NaN or infinity, -1 if there is none |
/// | 6 | min | smallest finite element, NaN if there is none; -0 is smaller than 0 |
/// | 7 | max | largest finite element, NaN if there is none |
/// | 8 | abs_min | smallest finite magnitude, NaN if there is none |
/// | 9 | abs_max | largest finite magnitude, NaN if there is none |
/// | 10 | sum | of the finite elements |
/// | 11 | abs_sum | of their magnitudes: the l1 norm |
/// | 12 | sum_squares | of their squares: the square of the l2 norm |
/// | 13 | squared_deviations | sum of (x - mean)^2 over them: finite count times variance |
/// | 14 | abs_squared_deviations | sum of (abs(x) - mean of abs(x))^2 |
/// | 15 | sum_error | the known rounding error of `sum`, to be added to it; `merge` uses it |
/// | 16 | abs_sum_error | the known rounding error of `abs_sum`, to be added to it |
/// | 17 | abs_max_index | row-major index of the first element of the largest finite magnitude, -1 if there is none |
/// | 18 | non_finite_bits_low | the 32 low bits of the first NaN or infinity, in its own type; 0 if there is none |
/// | 19 | non_finite_bits_high | its high bits |
inline constexpr std::array<std::string_view, 20> statistics_fields = {"count",
                                                                       "nan",
                                                                       "positive_inf",
                                                                       "negative_inf",
                                                                       "zeros",
                                                                       "first_non_finite",
                                                                       "min",
                                                                       "max",
                                                                       "abs_min",
                                                                       "abs_max",
                                                                       "sum",
                                                                       "abs_sum",
                                                                       "sum_squares",
                                                                       "squared_deviations",
                                                                       "abs_squared_deviations",
                                                                       "sum_error",
                                                                       "abs_sum_error",
                                                                       "abs_max_index",
                                                                       "non_finite_bits_low",
                                                                       "non_finite_bits_high"};

/// The number of fields in the first version of the record. Readers accept records of at least this length.
inline constexpr std::size_t first_statistics_fields = 17;

/// Statistics of the elements of a tensor. All numbers describe the finite elements; integers beyond 2^53 are rounded
/// to float64 first. Numeric: l1, l2 and sum_squares have a relative error of at most 1e-13. So has the mean, relative
/// to the mean of the magnitudes, and the variance unless the mean is many times the std; at mean = 1e6 std its error
/// is at most 1e-12. Squares of float64 elements above 1e154 overflow to infinity; those below 1e-154 lose digits, and
/// vanish below 1e-162. Functions that compute from the fields use the caller's floating-point mode. Empty: counts and
/// sums are 0, everything else is NaN.
struct Statistics {
  std::uint64_t count = 0;                        ///< elements, finite or not
  std::uint64_t nan = 0;                          ///< NaNs
  std::uint64_t positive_inf = 0;                 ///< positive infinities
  std::uint64_t negative_inf = 0;                 ///< negative infinities
  std::uint64_t zeros = 0;                        ///< elements that are 0 or -0
  std::optional<std::uint64_t> first_non_finite;  ///< row-major index of the first NaN or infinity
  std::uint64_t non_finite_bits = 0;              ///< the bits of that element, in its own type
  double min = unknown;
  double max = unknown;
  double abs_min = unknown;
  double abs_max = unknown;
  std::optional<std::uint64_t> abs_max_index;  ///< row-major index of the first element of that magnitude
  double sum = 0;
  double abs_sum = 0;
  double sum_squares = 0;
  double squared_deviations = 0;      ///< from the mean
  double abs_squared_deviations = 0;  ///< of the magnitudes, from their mean
  double sum_error = 0;               ///< the known rounding error of `sum`, to be added to it
  double abs_sum_error = 0;           ///< the known rounding error of `abs_sum`, to be added to it

  /// The number of NaNs and infinities.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + positive_inf + negative_inf; }
  /// The number of finite elements, which all numbers below describe.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }

  [[nodiscard]] double mean() const noexcept { return per_element(sum, 0); }
  [[nodiscard]] double abs_mean() const noexcept { return per_element(abs_sum, 0); }
  /// The variance of the population: divided by N.
  [[nodiscard]] double variance() const noexcept { return per_element(squared_deviations, 0); }
  [[nodiscard]] double abs_variance() const noexcept { return per_element(abs_squared_deviations, 0); }
  /// The variance of the sample: divided by N - 1. Empty: NaN, also for one element.
  [[nodiscard]] double sample_variance() const noexcept { return per_element(squared_deviations, 1); }
  [[nodiscard]] double std() const noexcept;
  [[nodiscard]] double abs_std() const noexcept;
  [[nodiscard]] double sample_std() const noexcept;
  [[nodiscard]] double l1() const noexcept { return abs_sum; }
  [[nodiscard]] double l2() const noexcept;
  /// The largest magnitude. Empty: 0.
  [[nodiscard]] double linf() const noexcept { return finite() == 0 ? 0 : abs_max; }

  /// Returns the fields as numbers in the order of `statistics_fields`.
  [[nodiscard]] std::array<double, statistics_fields.size()> to_record() const noexcept;
  /// Reads a record of this version or a later one. Returns nothing if it is too short or holds impossible counts.
  [[nodiscard]] static std::optional<Statistics> from_record(std::span<const double> record) noexcept;

 private:
  static constexpr double unknown = std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});  // a quiet NaN

  [[nodiscard]] double per_element(double total, std::uint64_t fewer) const noexcept;
};

/// Returns the statistics of the elements of `a` followed by those of `b`.
/// Numeric: equal to the statistics of the whole tensor, bit for bit, if the tensor is cut after 4096 * 2^k elements,
/// with the largest k that leaves elements for the second piece. After any other cut, sums differ in the last bits.
[[nodiscard]] Statistics merge(const Statistics& a, const Statistics& b) noexcept;

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/statistics_record_impl.hpp>
#endif
