// What there is to say about the elements of a tensor, and the record in which that is stored. NaN and the infinities
// are counted, and everything else describes the rest, the finite part: a tensor with one NaN still has a mean. (What
// propagates NaN is the single reductions of reduce.hpp.)
//
//   tensortap::Statistics s = tensortap::statistics(gradient);
//   s = merge(s, tensortap::statistics(std::span(gradient).first(10)));   // and ten more elements
//   std::cout << s.mean() << " +- " << s.std() << ", norm " << s.l2() << '\n';
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/error_free.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The fields of the record `smdebug/reductions/statistics/NAME`, a float64 vector, in this order. Later versions may
/// append fields; these keep their places.
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
/// | 15 | sum_error | what rounding took from `sum`, as far as it is known; `merge` uses it |
/// | 16 | abs_sum_error | what rounding took from `abs_sum` |
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

/// How many of these the first version of the record had; readers ask for no more.
inline constexpr std::size_t first_statistics_fields = 17;

/// What there is to say about the elements of a tensor. Numbers describe the finite ones; of integers beyond 2^53,
/// their nearest float64.
/// Numeric: l1, l2 and sum_squares are within 1e-13 of the exact ones, and so is the mean, relative to that of the
/// magnitudes; the variance is too where the mean is not many times the std, and within 1e-12 at mean = 1e6 std.
/// Squares of float64 elements beyond 1e154 overflow, to infinity; those below 1e-154 lose digits, and vanish below
/// 1e-162. What the functions compute from the fields, they compute in the caller's floating-point mode.
/// Empty: counts and sums are 0, everything else is NaN.
struct Statistics {
  std::uint64_t count = 0;                        ///< elements, finite or not
  std::uint64_t nan = 0;                          ///< NaNs
  std::uint64_t positive_inf = 0;                 ///< infinities
  std::uint64_t negative_inf = 0;                 ///< negative infinities
  std::uint64_t zeros = 0;                        ///< elements that are 0 or -0
  std::optional<std::uint64_t> first_non_finite;  ///< row-major index of the first NaN or infinity
  std::uint64_t non_finite_bits = 0;              ///< the bits of that element, in its own type
  double min = std::bit_cast<double>(detail::nan_bits);
  double max = std::bit_cast<double>(detail::nan_bits);
  double abs_min = std::bit_cast<double>(detail::nan_bits);
  double abs_max = std::bit_cast<double>(detail::nan_bits);
  std::optional<std::uint64_t> abs_max_index;  ///< row-major index of the first element of that magnitude
  double sum = 0;
  double abs_sum = 0;
  double sum_squares = 0;
  double squared_deviations = 0;      ///< from the mean
  double abs_squared_deviations = 0;  ///< of the magnitudes, from their mean
  double sum_error = 0;               ///< what rounding took from `sum`, as far as it is known
  double abs_sum_error = 0;           ///< what rounding took from `abs_sum`

  /// NaNs and infinities.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + positive_inf + negative_inf; }
  /// Elements that all the numbers below are about.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }

  [[nodiscard]] double mean() const noexcept { return per_element(sum, 0); }
  [[nodiscard]] double abs_mean() const noexcept { return per_element(abs_sum, 0); }
  /// Of the population: divided by N.
  [[nodiscard]] double variance() const noexcept { return per_element(squared_deviations, 0); }
  [[nodiscard]] double abs_variance() const noexcept { return per_element(abs_squared_deviations, 0); }
  /// Divided by N - 1. Empty: NaN for one element, too.
  [[nodiscard]] double sample_variance() const noexcept { return per_element(squared_deviations, 1); }
  [[nodiscard]] double std() const noexcept { return std::sqrt(variance()); }
  [[nodiscard]] double abs_std() const noexcept { return std::sqrt(abs_variance()); }
  [[nodiscard]] double sample_std() const noexcept { return std::sqrt(sample_variance()); }
  [[nodiscard]] double l1() const noexcept { return abs_sum; }
  [[nodiscard]] double l2() const noexcept { return std::sqrt(sum_squares); }
  /// The largest magnitude. Empty: 0.
  [[nodiscard]] double linf() const noexcept { return finite() == 0 ? 0 : abs_max; }

  /// As numbers in the order of `statistics_fields`.
  [[nodiscard]] std::array<double, statistics_fields.size()> to_record() const noexcept;
  /// The statistics in a record, of this version or a later one; nothing if it is too short or its counts are not
  /// counts.
  [[nodiscard]] static std::optional<Statistics> from_record(std::span<const double> record) noexcept;

 private:
  [[nodiscard]] double per_element(double total, std::uint64_t fewer) const noexcept {
    if (finite() <= fewer) return detail::number_of(detail::nan_bits);
    return detail::quotient(total, static_cast<double>(finite() - fewer));
  }
};

namespace detail {

/// An integer in the order of the numbers, -0 before 0; comparisons of floats ignore that, and -ffast-math exploits it.
inline std::uint64_t order_of(double x) noexcept {
  const std::uint64_t bits = bits_of(x);
  return (bits & sign_bit<double>) != 0 ? ~bits : bits | sign_bit<double>;
}
inline double smaller(double a, double b) noexcept { return order_of(a) < order_of(b) ? a : b; }
inline double larger(double a, double b) noexcept { return order_of(a) > order_of(b) ? a : b; }

}  // namespace detail

/// The statistics of the elements of `a` followed by those of `b`.
/// Numeric: cut a tensor after its first 4096 * 2^k elements, the largest such number that leaves a rest, and the
/// merged statistics of the two pieces are those of the tensor, bit for bit. Cut elsewhere, sums differ in the last
/// bits.
inline Statistics merge(const Statistics& a, const Statistics& b) noexcept {
  using detail::rounded;
  Statistics s = a;
  s.count += b.count;
  s.nan += b.nan;
  s.positive_inf += b.positive_inf;
  s.negative_inf += b.negative_inf;
  s.zeros += b.zeros;
  if (!a.first_non_finite && b.first_non_finite) {
    s.first_non_finite = a.count + *b.first_non_finite;
    s.non_finite_bits = b.non_finite_bits;
  }
  if (b.finite() == 0) return s;
  if (b.abs_max_index && (a.finite() == 0 || detail::order_of(b.abs_max) > detail::order_of(a.abs_max)))
    s.abs_max_index = a.count + *b.abs_max_index;
  if (a.finite() == 0) {
    s.min = b.min;
    s.max = b.max;
    s.abs_min = b.abs_min;
    s.abs_max = b.abs_max;
  } else {
    s.min = detail::smaller(a.min, b.min);
    s.max = detail::larger(a.max, b.max);
    s.abs_min = detail::smaller(a.abs_min, b.abs_min);
    s.abs_max = detail::larger(a.abs_max, b.abs_max);
  }
  const auto sum = detail::two_sum(a.sum, b.sum);
  const auto abs_sum = detail::two_sum(a.abs_sum, b.abs_sum);
  s.sum = sum.value;
  s.abs_sum = abs_sum.value;
  s.sum_error = rounded(rounded(a.sum_error + b.sum_error) + sum.error);
  s.abs_sum_error = rounded(rounded(a.abs_sum_error + b.abs_sum_error) + abs_sum.error);
  s.sum_squares = rounded(a.sum_squares + b.sum_squares);
  s.squared_deviations = rounded(a.squared_deviations + b.squared_deviations);
  s.abs_squared_deviations = rounded(a.abs_squared_deviations + b.abs_squared_deviations);
  if (a.finite() == 0) return s;
  const auto n_a = static_cast<double>(a.finite());
  const auto n_b = static_cast<double>(b.finite());
  const double between = detail::deviations_between({n_a, a.sum, a.sum_error}, {n_b, b.sum, b.sum_error});
  const double abs_between =
      detail::deviations_between({n_a, a.abs_sum, a.abs_sum_error}, {n_b, b.abs_sum, b.abs_sum_error});
  s.squared_deviations = s.min == s.max ? 0 : rounded(s.squared_deviations + between);
  s.abs_squared_deviations = s.abs_min == s.abs_max ? 0 : rounded(s.abs_squared_deviations + abs_between);
  return s;
}

inline std::array<double, statistics_fields.size()> Statistics::to_record() const noexcept {
  return {static_cast<double>(count),
          static_cast<double>(nan),
          static_cast<double>(positive_inf),
          static_cast<double>(negative_inf),
          static_cast<double>(zeros),
          first_non_finite ? static_cast<double>(*first_non_finite) : -1.0,
          min,
          max,
          abs_min,
          abs_max,
          sum,
          abs_sum,
          sum_squares,
          squared_deviations,
          abs_squared_deviations,
          sum_error,
          abs_sum_error,
          abs_max_index ? static_cast<double>(*abs_max_index) : -1.0,
          static_cast<double>(non_finite_bits & 0xffffffff),
          static_cast<double>(non_finite_bits >> 32)};
}

inline std::optional<Statistics> Statistics::from_record(std::span<const double> record) noexcept {
  if (record.size() < first_statistics_fields) return std::nullopt;
  bool sound = true;
  const auto whole = [&](double x) -> std::uint64_t {
    sound = sound && detail::is_finite(x) && x >= 0 && x < 0x1p63 &&
            static_cast<double>(static_cast<std::uint64_t>(x)) == x;
    return sound ? static_cast<std::uint64_t>(x) : 0;
  };
  const auto index = [&](double x) { return x == -1 ? std::nullopt : std::optional(whole(x)); };
  Statistics s;
  s.count = whole(record[0]);
  s.nan = whole(record[1]);
  s.positive_inf = whole(record[2]);
  s.negative_inf = whole(record[3]);
  s.zeros = whole(record[4]);
  s.first_non_finite = index(record[5]);
  s.min = record[6];
  s.max = record[7];
  s.abs_min = record[8];
  s.abs_max = record[9];
  s.sum = record[10];
  s.abs_sum = record[11];
  s.sum_squares = record[12];
  s.squared_deviations = record[13];
  s.abs_squared_deviations = record[14];
  s.sum_error = record[15];
  s.abs_sum_error = record[16];
  if (record.size() >= statistics_fields.size()) {
    s.abs_max_index = index(record[17]);
    s.non_finite_bits = (whole(record[18]) & 0xffffffff) | whole(record[19]) << 32;
  }
  if (!sound || s.nan > s.count || s.positive_inf > s.count - s.nan ||
      s.negative_inf > s.count - s.nan - s.positive_inf || s.zeros > s.finite() ||
      (s.first_non_finite && *s.first_non_finite >= s.count) || (s.abs_max_index && *s.abs_max_index >= s.count))
    return std::nullopt;
  return s;
}

TENSORTAP_END_NAMESPACE
