// How elements find their bins, and quantiles their bounds.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/histogram.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// The shift from the bits of a float64 to its bin: the exponent and two bits of the fraction remain.
inline constexpr int bin_shift = 50;
inline constexpr std::int64_t first_bin_bits =
    (1023 + Histogram::first_exponent) * std::int64_t{Histogram::bins_per_power};

// The functions below use arithmetic instead of comparisons. Compilers turn comparisons, even std::clamp, into branches
// that processors cannot predict: with branches, each zero of a rectifier took 5 ns instead of 1.5.

/// Returns 1 if x is not 0, else 0.
[[gnu::always_inline]] inline std::int64_t not_zero(std::uint64_t x) noexcept {
  return static_cast<std::int64_t>((x | rounded(0 - x)) >> 63);
}

/// Returns -1 if x is negative, else 0.
[[gnu::always_inline]] inline std::int64_t negative(std::int64_t x) noexcept { return rounded(x >> 63); }

/// Returns the bin of a number. `bits` is its magnitude shifted by `bin_shift`; `sign` is -1 for negative numbers, else
/// 0; `one` is 0 for zero, else 1. NaN and the infinities are in the outermost bins.
[[gnu::always_inline]] inline std::size_t bin_of(std::int64_t bits, std::int64_t sign, std::int64_t one) noexcept {
  constexpr auto zero = static_cast<std::int64_t>(Histogram::bins_per_sign);
  std::int64_t from_zero = bits - (first_bin_bits - 1);
  from_zero &= ~negative(from_zero);                                         // smaller numbers
  from_zero += ((zero - 1) - from_zero) & negative((zero - 1) - from_zero);  // larger numbers
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
  return bin_of(
      one * ((1023 + exponent) * std::int64_t{Histogram::bins_per_power} + static_cast<std::int64_t>(behind_point)),
      sign, one);
}

/// Returns the lower end of bin `i` of the positive numbers: 0, 2^-149, 1.25 * 2^-149 … 2^128; or the end of the last.
inline double bin_edge(std::size_t i) noexcept {
  if (i == 0) return 0;
  if (i == Histogram::bins_per_sign) return std::numeric_limits<double>::max();
  const auto bits = static_cast<std::uint64_t>(first_bin_bits + static_cast<std::int64_t>(i) - 1);
  return std::bit_cast<double>(bits << bin_shift);
}

/// Adds a block. Prefetches the next one to L2, which helps if the tensor is contiguous.
template <class In>
[[gnu::always_inline]] inline void add_to_bins(const Block& block, Histogram& h) noexcept {
  const auto add = [&](std::size_t i) {
    const In x = load<In>(block.elements + i * sizeof(In));
    if constexpr (std::integral<In>)
      ++h.counts[bin_of(x)];
    else
      ++h.counts[bin_of(static_cast<double>(x))];
  };
  constexpr std::size_t line = 64 / sizeof(In);
  std::size_t i = 0;
  for (; i + line <= block.count; i += line) {
    __builtin_prefetch(block.elements + (block_size + i) * sizeof(In), 0, 2);
#pragma GCC unroll 16
    for (std::size_t k = 0; k < line; ++k) add(i + k);
  }
  for (; i < block.count; ++i) add(i);
}

/// Moves NaN and the infinities of a block from the outermost bins to their own counts, and counts subnormal float64.
template <class In>
[[gnu::noinline]] void sort_out(const Block& block, Histogram& h) noexcept {
  for (std::size_t i = 0; i < block.count; ++i) {
    const auto bits = load<BitsOf<In>>(block.elements + i * sizeof(In));
    const auto magnitude = static_cast<BitsOf<In>>(bits & ~sign_bit<In>);
    const bool negative = bits != magnitude;
    if (sizeof(In) == 8) h.subnormals += magnitude != 0 && magnitude < (std::uint64_t{1} << 52);
    if (magnitude < infinity_bits<In>) continue;
    --h.counts[negative ? 0 : Histogram::bin_count - 1];
    ++(magnitude > infinity_bits<In> ? h.nan : negative ? h.negative_inf : h.positive_inf);
  }
}

template <class In>
[[gnu::noinline]] void read_histogram(const TensorView& view, Histogram& h) {
  BlockReader<In> reader(view);
  const auto unclear = [&] {
    const std::uint64_t outermost = h.counts.front() + h.counts.back();
    if (sizeof(In) == 4) return outermost;
    return outermost + h.counts[Histogram::zero_bin - 1] + h.counts[Histogram::zero_bin + 1];
  };
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = reader[i];
    const std::uint64_t before = unclear();
    add_to_bins<In>(block, h);
    if (unclear() != before) sort_out<In>(block, h);
  }
  if (sizeof(In) == 4) {
    const int smallest_normal = view.dtype() == DType::f16 ? -14 : -126;
    h.subnormals = *h.count_below(smallest_normal) - h.zeros();
  }
}

/// Counts integers that float64 may not hold.
template <class T>
[[gnu::noinline]] void read_integers(const TensorView& view, Histogram& h) {
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  for (std::size_t i = 0; i < block_count(view); ++i) add_to_bins<T>(raw_block(view, i, buffer), h);
}

/// Returns the first and the last of `bins` bins that may hold the quantile `q` of `finite` elements. Bin i holds
/// counts_of(i) elements.
template <class CountsOf>
std::optional<std::array<std::size_t, 2>> bins_of_quantile(double q, std::uint64_t finite, std::size_t bins,
                                                           const CountsOf& counts_of) {
  if (!is_finite(q) || q < 0 || q > 1) throw Error::bad_quantile(q);
  if (finite == 0) return std::nullopt;
  const std::uint64_t last = finite - 1;
  const double place = rounded(q * static_cast<double>(last));  // as numpy computes it
  const auto find = [&](double number) {
    const std::uint64_t n = number < 0x1p64 ? std::min(static_cast<std::uint64_t>(number), last) : last;
    std::size_t i = 0;
    for (std::uint64_t passed = counts_of(0); passed <= n && i + 1 < bins;) passed += counts_of(++i);
    return i;
  };
  return std::array{find(std::floor(place)), find(std::ceil(place))};
}

}  // namespace detail

TENSORTAP_INLINE Histogram merge(const Histogram& a, const Histogram& b) noexcept {
  Histogram h = a;
  h.count += b.count;
  h.nan += b.nan;
  h.positive_inf += b.positive_inf;
  h.negative_inf += b.negative_inf;
  h.subnormals += b.subnormals;
  for (std::size_t i = 0; i < h.counts.size(); ++i) h.counts[i] += b.counts[i];
  return h;
}

TENSORTAP_INLINE Histogram::Bounds Histogram::bounds(std::size_t bin) noexcept {
  if (bin < zero_bin) return {-detail::bin_edge(zero_bin - bin), -detail::bin_edge(zero_bin - bin - 1)};
  if (bin == zero_bin) return {0, 0};
  return {detail::bin_edge(bin - zero_bin - 1), detail::bin_edge(bin - zero_bin)};
}

TENSORTAP_INLINE std::optional<std::uint64_t> Histogram::count_below(int exponent) const noexcept {
  const std::uint64_t tiny = counts[zero_bin - 1] + counts[zero_bin + 1];
  if (exponent < first_exponent) {
    if (tiny > 0 && exponent > -1074) return std::nullopt;
    return zeros();
  }
  if (exponent > last_exponent) {
    if (counts.front() + counts.back() > 0 && exponent < 1024) return std::nullopt;
    return finite();
  }
  const std::size_t bins = 1 + static_cast<std::size_t>(exponent - first_exponent) * bins_per_power;
  std::uint64_t below = 0;
  for (std::size_t i = zero_bin - bins; i <= zero_bin + bins; ++i) below += counts[i];
  return below;
}

TENSORTAP_INLINE std::optional<std::uint64_t> Histogram::count_from(int exponent) const noexcept {
  const auto below = count_below(exponent);
  return below ? std::optional(finite() - *below) : std::nullopt;
}

TENSORTAP_INLINE std::optional<Histogram::Bounds> Histogram::quantile(double q) const {
  const auto found = detail::bins_of_quantile(q, finite(), bin_count, [&](std::size_t i) { return counts[i]; });
  if (!found) return std::nullopt;
  return Bounds{bounds(found->front()).lower, bounds(found->back()).upper};
}

TENSORTAP_INLINE std::optional<Histogram::Bounds> Histogram::abs_quantile(double q) const {
  const auto both_signs = [&](std::size_t i) { return i == 0 ? zeros() : counts[zero_bin + i] + counts[zero_bin - i]; };
  const auto found = detail::bins_of_quantile(q, finite(), 1 + bins_per_sign, both_signs);
  if (!found) return std::nullopt;
  return Bounds{bounds(zero_bin + found->front()).lower, bounds(zero_bin + found->back()).upper};
}

TENSORTAP_INLINE Histogram histogram(const TensorView& view) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  Histogram h;
  h.count = view.size();
  const detail::IeeeMode ieee;
  switch (view.dtype()) {
    case DType::i64: detail::read_integers<std::int64_t>(view, h); break;
    case DType::u64: detail::read_integers<std::uint64_t>(view, h); break;
    default:
      detail::fits_float(view.dtype()) ? detail::read_histogram<float>(view, h)
                                       : detail::read_histogram<double>(view, h);
  }
  return h;
}

TENSORTAP_END_NAMESPACE
