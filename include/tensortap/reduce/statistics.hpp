// All statistics of a tensor in one pass, and the record in which they are stored. NaN and the infinities are counted,
// and everything else describes the rest, the finite part: a tensor with one NaN still has a mean. (What propagates NaN
// is the single reductions of reduce.hpp.) Sums are taken in float64 from the first element on; the same bits on every
// machine.
//
//   const tensortap::Statistics s = tensortap::statistics(gradient);
//   if (s.non_finite() > 0) std::cerr << "first at element " << *s.first_non_finite << '\n';
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

#include <tensortap/error.hpp>
#include <tensortap/reduce/blocks.hpp>
#include <tensortap/reduce/census.hpp>
#include <tensortap/reduce/error_free.hpp>
#include <tensortap/reduce/ieee_mode.hpp>
#include <tensortap/reduce/kernels_portable.hpp>
#include <tensortap/reduce/lanes.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0 {

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
inline constexpr std::array<std::string_view, 17> statistics_fields = {"count",
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
                                                                       "abs_sum_error"};

/// What there is to say about the elements of a tensor. Numbers describe the finite ones; of integers beyond 2^53,
/// their nearest float64.
/// Numeric: l1, l2 and sum_squares are within 1e-13 of the exact ones, and so is the mean, relative to that of the
/// magnitudes; the variance is too where the mean is not many times the std, and within 1e-12 at mean = 1e6 std.
/// Squares of float64 elements beyond 1e154 overflow, to infinity.
/// Empty: counts and sums are 0, everything else is NaN.
struct Statistics {
  std::uint64_t count = 0;                        ///< elements, finite or not
  std::uint64_t nan = 0;                          ///< NaNs
  std::uint64_t positive_inf = 0;                 ///< infinities
  std::uint64_t negative_inf = 0;                 ///< negative infinities
  std::uint64_t zeros = 0;                        ///< elements that are 0 or -0
  std::optional<std::uint64_t> first_non_finite;  ///< row-major index of the first NaN or infinity
  double min = std::bit_cast<double>(detail::nan_bits);
  double max = std::bit_cast<double>(detail::nan_bits);
  double abs_min = std::bit_cast<double>(detail::nan_bits);
  double abs_max = std::bit_cast<double>(detail::nan_bits);
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
  if (!a.first_non_finite && b.first_non_finite) s.first_non_finite = a.count + *b.first_non_finite;
  if (b.finite() == 0) return s;
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
          abs_sum_error};
}

inline std::optional<Statistics> Statistics::from_record(std::span<const double> record) noexcept {
  if (record.size() < statistics_fields.size()) return std::nullopt;
  std::array<std::uint64_t, 6> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (i == 5 && record[i] == -1) continue;
    if (!detail::is_finite(record[i]) || !(record[i] >= 0 && record[i] < 0x1p63)) return std::nullopt;
    counts[i] = static_cast<std::uint64_t>(record[i]);
    if (static_cast<double>(counts[i]) != record[i]) return std::nullopt;
  }
  const auto [count, nan, positive_inf, negative_inf, zeros, first] = counts;
  if (nan > count || positive_inf > count - nan || negative_inf > count - nan - positive_inf) return std::nullopt;
  if (zeros > count - nan - positive_inf - negative_inf || (record[5] != -1 && first >= count)) return std::nullopt;
  Statistics s;
  s.count = count;
  s.nan = nan;
  s.positive_inf = positive_inf;
  s.negative_inf = negative_inf;
  s.zeros = zeros;
  if (record[5] != -1) s.first_non_finite = first;
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
  return s;
}

namespace detail {

/// Runs the kernel that finds at least `parts`.
template <class In>
BlockTotals<In> block_totals(const Block& block, unsigned parts) noexcept {
  BlockTotals<In> totals;
  const In start = load<In>(block.elements);
  switch (parts) {
    case extremes: portable_totals<In, extremes, false>(block.elements, block.count, start, totals); break;
    case sums: portable_totals<In, sums, false>(block.elements, block.count, start, totals); break;
    case squares: portable_totals<In, squares, false>(block.elements, block.count, start, totals); break;
    default: portable_totals<In, everything, false>(block.elements, block.count, start, totals); break;
  }
  return totals;
}

/// Squared deviations of n finite elements from their mean, and what is missing in their sum. The totals know them,
/// unless the mean is so large against the std that the difference cancels; then the block is read once more. With a
/// limit of 16, the sums' bound of 2.9e-14 becomes 4.6e-13, and elements around 0, of one sign or uniform are not read
/// twice. `deviations_from(center)` is the kernel.
struct DeviationsFound {
  double squares, sum_error;
};
template <class Again>
DeviationsFound block_deviations(double n, double sum, double sum_squares, const Again& deviations_from) noexcept {
  if (!is_finite(sum)) return {number_of(infinity_bits<double>), 0};
  const double mean = quotient(sum, n);
  const double found = rounded(sum_squares - rounded(sum * mean));
  if (is_finite(sum_squares) && 16 * found >= sum_squares) return {found, 0};
  // A center of 40 bits, so that n times it is exact.
  const double center = std::bit_cast<double>(bits_of(mean) & ~std::uint64_t{0x1fff});
  const Deviations again = deviations_from(center);
  const double sum_error = rounded(rounded(rounded(n * center) - sum) + again.sum);
  if (!is_finite(again.sum_squares) || !is_finite(sum_error)) return {number_of(infinity_bits<double>), 0};
  const double squares = rounded(again.sum_squares - rounded(again.sum * quotient(again.sum, n)));
  return {squares > 0 ? squares : 0, sum_error};
}

inline double zero(bool negative) noexcept { return number_of(negative ? sign_bit<double> : 0); }

/// The statistics of one block, as far as `parts` asks for them.
template <class In>
Statistics block_statistics(const Block& block, unsigned parts) noexcept {
  Statistics s;
  s.count = block.count;
  BlockTotals<In> totals = block_totals<In>(block, parts);
  bool masked = false;
  if (!totals.all_finite) {
    const NonFinite odd = count_non_finite<In>(block);
    masked = odd.count() > 0;  // else a sum of large float64 has overflowed
    if (masked) {
      s.nan = odd.nan;
      s.positive_inf = odd.positive_inf;
      s.negative_inf = odd.negative_inf;
      s.first_non_finite = odd.first;
      if (s.finite() == 0) return s;
      const In start = load<In>(block.elements + odd.first_finite * sizeof(In));
      portable_totals<In, everything, true>(block.elements, block.count, start, totals);
    }
  }
  if ((parts & extremes) != 0) {
    s.min = totals.min;
    s.max = totals.max;
    s.abs_min = totals.abs_min;
    s.abs_max = -s.min > s.max ? -s.min : s.max;
    if (totals.abs_min == 0) {  // the kernel knows no signs of zeros
      const Zeros zeros = count_zeros<In>(block);
      s.zeros = zeros.count;
      if (s.min == 0) s.min = zero(zeros.negative > 0);
      if (s.max == 0) s.max = zero(zeros.negative == zeros.count);
      s.abs_min = zero(false);
      if (s.abs_max == 0) s.abs_max = zero(false);
    }
  }
  if ((parts & sums) != 0) {
    s.sum = totals.sum;
    s.abs_sum = totals.abs_sum;
  }
  if ((parts & squares) != 0) s.sum_squares = totals.sum_squares;
  if ((parts & deviations) != 0) {
    const auto n = static_cast<double>(s.finite());
    const auto again = [&](bool absolute) {
      return [&, absolute](double center) {
        return masked ? portable_deviations<In, true>(block.elements, block.count, center, absolute)
                      : portable_deviations<In, false>(block.elements, block.count, center, absolute);
      };
    };
    if (s.min != s.max) {
      const auto found = block_deviations(n, s.sum, s.sum_squares, again(false));
      s.squared_deviations = found.squares;
      s.sum_error = found.sum_error;
    }
    if (s.min >= 0 || s.max <= 0) {
      s.abs_squared_deviations = s.squared_deviations;
      s.abs_sum_error = s.min >= 0 ? s.sum_error : -s.sum_error;
    } else if (s.abs_min != s.abs_max) {
      const auto found = block_deviations(n, s.abs_sum, s.sum_squares, again(true));
      s.abs_squared_deviations = found.squares;
      s.abs_sum_error = found.sum_error;
    }
  }
  return s;
}

template <class In>
[[gnu::noinline]] void read_statistics(const TensorView& view, unsigned parts, Statistics& out) {
  BlockReader<In> reader(view);
  const auto leaf = [&](std::size_t i) { return block_statistics<In>(reader[i], parts); };
  out = pairwise(0, block_count(view), leaf, merge);
}

/// The statistics of a tensor of real numbers, as far as `parts` asks for them.
inline Statistics statistics_of(const TensorView& view, unsigned parts) {
  Statistics s;
  if (view.size() == 0) return s;
  if ((parts & deviations) != 0) parts |= everything;
  const IeeeMode ieee;
  fits_float(view.dtype()) ? read_statistics<float>(view, parts, s) : read_statistics<double>(view, parts, s);
  return s;
}

}  // namespace detail

/// All statistics of `view`. Throws: complex numbers and strings.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] inline Statistics statistics(const TensorView& view) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  return detail::statistics_of(view, detail::everything | detail::deviations);
}

/// All statistics of whatever `as_view` sees a tensor in.
template <class T>
[[nodiscard]] Statistics statistics(const T& tensor) {
  return statistics(as_view(tensor));
}

}  // namespace tensortap::inline v0
