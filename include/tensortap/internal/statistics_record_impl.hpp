// How the statistics of two pieces of a tensor are merged, and the record of statistics.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns an integer that orders numbers, with -0 before 0. Comparisons of floats treat -0 and 0 as equal.
inline std::uint64_t order_of(double x) noexcept {
  const std::uint64_t bits = bits_of(x);
  return (bits & sign_bit<double>) != 0 ? ~bits : bits | sign_bit<double>;
}
inline double smaller(double a, double b) noexcept { return order_of(a) < order_of(b) ? a : b; }
inline double larger(double a, double b) noexcept { return order_of(a) > order_of(b) ? a : b; }

}  // namespace detail

TENSORTAP_INLINE double Statistics::per_element(double total, std::uint64_t fewer) const noexcept {
  if (finite() <= fewer) return detail::number_of(detail::nan_bits);
  return detail::quotient(total, static_cast<double>(finite() - fewer));
}

TENSORTAP_INLINE double Statistics::std() const noexcept { return std::sqrt(variance()); }
TENSORTAP_INLINE double Statistics::abs_std() const noexcept { return std::sqrt(abs_variance()); }
TENSORTAP_INLINE double Statistics::sample_std() const noexcept { return std::sqrt(sample_variance()); }
TENSORTAP_INLINE double Statistics::l2() const noexcept { return std::sqrt(sum_squares); }

TENSORTAP_INLINE Statistics merge(const Statistics& a, const Statistics& b) noexcept {
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

TENSORTAP_INLINE std::array<double, statistics_fields.size()> Statistics::to_record() const noexcept {
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

TENSORTAP_INLINE std::optional<Statistics> Statistics::from_record(std::span<const double> record) noexcept {
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
