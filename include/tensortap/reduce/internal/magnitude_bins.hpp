// The bins of a histogram: four to each power of two that float32 reaches, and for either sign one for what is smaller
// and one for what is larger; zeros have their own in the middle. Not for user code.
//
//   ++counts[tensortap::detail::bin_of(-2.5)];
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr int first_exponent = -149;
inline constexpr int last_exponent = 128;
inline constexpr std::size_t bins_per_power = 4;
inline constexpr std::size_t bins_per_sign = (last_exponent - first_exponent) * bins_per_power + 2;

/// What remains of a float64 behind the shift, its exponent and two bits of its fraction, is other in each bin.
inline constexpr int bin_shift = 50;
inline constexpr std::int64_t first_bin_bits = (1023 + first_exponent) * std::int64_t{bins_per_power};

// Arithmetic, because compilers make branches of comparisons, even of std::clamp, which nothing can predict: with them,
// the zeros of a rectifier took 5 ns each instead of 1.5.

/// 1 if x is not 0.
[[gnu::always_inline]] inline std::int64_t not_zero(std::uint64_t x) noexcept {
  return static_cast<std::int64_t>((x | rounded(0 - x)) >> 63);
}

/// -1 if x is negative, else 0.
[[gnu::always_inline]] inline std::int64_t negative(std::int64_t x) noexcept { return rounded(x >> 63); }

/// The bin of a number. `bits` are those of its magnitude behind `bin_shift`; `sign` is -1 if it is negative, else 0;
/// `one` is 0 for zero, else 1. NaN and the infinities share the outermost bins.
[[gnu::always_inline]] inline std::size_t bin_of(std::int64_t bits, std::int64_t sign, std::int64_t one) noexcept {
  constexpr auto zero = static_cast<std::int64_t>(bins_per_sign);
  std::int64_t from_zero = bits - (first_bin_bits - 1);
  from_zero &= ~negative(from_zero);                                         // what is smaller
  from_zero += ((zero - 1) - from_zero) & negative((zero - 1) - from_zero);  // what is larger
  from_zero += one;
  return static_cast<std::size_t>(zero + ((from_zero ^ sign) - sign));
}

[[gnu::always_inline]] inline std::size_t bin_of(double x) noexcept {
  const std::uint64_t bits = bits_of(x);
  const std::uint64_t magnitude = bits & ~sign_bit<double>;
  const auto exponent = static_cast<std::int64_t>(magnitude >> bin_shift);
  return bin_of(exponent, static_cast<std::int64_t>(bits) >> 63, not_zero(magnitude));
}

template <std::integral T>
[[gnu::always_inline]] inline std::size_t bin_of(T x) noexcept {
  const std::int64_t sign = std::signed_integral<T> ? static_cast<std::int64_t>(x) >> 63 : 0;
  const auto mask = static_cast<std::uint64_t>(sign);
  const std::uint64_t magnitude = (static_cast<std::uint64_t>(x) ^ mask) - mask;
  const int exponent = 63 - std::countl_zero(magnitude | 1);
  const std::uint64_t behind_point = magnitude << (63 - exponent) >> 61 & 3;
  const std::int64_t one = not_zero(magnitude);
  return bin_of(one * ((1023 + exponent) * std::int64_t{bins_per_power} + static_cast<std::int64_t>(behind_point)),
                sign, one);
}

/// Where the bins of positive numbers begin: 0, 2^-149, 1.25 * 2^-149 … 2^128, and the end of the last.
inline double bin_edge(std::size_t i) noexcept {
  if (i == 0) return 0;
  if (i == bins_per_sign) return std::numeric_limits<double>::max();
  const auto bits = static_cast<std::uint64_t>(first_bin_bits + static_cast<std::int64_t>(i) - 1);
  return std::bit_cast<double>(bits << bin_shift);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
