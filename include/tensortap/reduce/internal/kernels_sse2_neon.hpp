// The kernels in vectors of 16 bytes, which any compiler lowers to SSE2 or NEON: a quarter row at a time, so that 16
// registers hold all the accumulators.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::vector16 {

/// Finds the totals of a block. `masked`: skips NaN and infinities; `start` is finite then. Prefetches the next block
/// to L2 in the order of memory: 0.62 -> 0.95 of the read limit; prefetching to L1 or past the caches is slower.
template <class In, unsigned parts, bool masked>
void totals(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept {
  using Lanes = LaneTotals<In, parts>;
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  constexpr std::size_t block_bytes = block_size * sizeof(In);

  Lanes lanes;
  const std::size_t rows = count / lane_count;
  if (rows == 0) lanes.begin(start);
  for (std::size_t quarter = 0; rows > 0 && quarter < 4; ++quarter) {
    const std::byte* from = elements + quarter * row_bytes / 4;
    F64x2 sum_low{}, sum_high{}, abs_low{}, abs_high{}, squares_low{}, squares_high{};
    const Four<In> splat = Four<In>::splat(start);
    Four<In> lowest = splat, highest = splat, nearest = splat.magnitude(), seen{};
    pin(sum_low), pin(sum_high), pin(abs_low), pin(abs_high);  // 0 + -0 is 0, also under -ffast-math

    const auto row = [&](const std::byte* at) {
      const Four<In> x = Four<In>::at(at);
      if constexpr (Lanes::with_extremes) {
        const Four<In> known = masked ? x.finite_or(splat) : x;
        const Four<In> size = known.magnitude();
        lowest = known.min(lowest);
        highest = known.max(highest);
        nearest = size.min(nearest);
        if constexpr (Lanes::with_guard) seen = seen.plus(size);
      }
      if constexpr (Lanes::with_sums || Lanes::with_squares) {
        const F64x2 low = masked ? finite_or_zero(x.low()) : x.low();
        const F64x2 high = masked ? finite_or_zero(x.high()) : x.high();
        if constexpr (Lanes::with_sums) {
          sum_low = rounded(sum_low + low);
          sum_high = rounded(sum_high + high);
          abs_low = rounded(abs_low + magnitude(low));
          abs_high = rounded(abs_high + magnitude(high));
        }
        if constexpr (Lanes::with_squares) {  // exact for float32; float64 squares are rounded before the addition
          squares_low = rounded(squares_low + rounded(low * low));
          squares_high = rounded(squares_high + rounded(high * high));
        }
      }
    };
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4, from += 4 * row_bytes) {
      // Prefetches one cache line of the next block for each 64 bytes read here; quarter q fetches quarter q of it.
      const std::byte* next = elements + block_bytes + quarter * (block_bytes / 4) + r * (row_bytes / 4);
      __builtin_prefetch(next, 0, 2);
      if constexpr (sizeof(In) == 8) __builtin_prefetch(next + 64, 0, 2);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k) row(from + k * row_bytes);
    }
    for (; r < rows; ++r, from += row_bytes) row(from);

    const std::size_t j = 4 * quarter;
    std::memcpy(lanes.sum + j, &sum_low, 16);
    std::memcpy(lanes.sum + j + 2, &sum_high, 16);
    std::memcpy(lanes.abs_sum + j, &abs_low, 16);
    std::memcpy(lanes.abs_sum + j + 2, &abs_high, 16);
    std::memcpy(lanes.sum_squares + j, &squares_low, 16);
    std::memcpy(lanes.sum_squares + j + 2, &squares_high, 16);
    lowest.store(lanes.min + j);
    highest.store(lanes.max + j);
    nearest.store(lanes.abs_min + j);
    seen.store(lanes.guard + j);
  }
  for (std::size_t i = rows * lane_count; i < count; ++i) {
    const In x = load<In>(elements + i * sizeof(In));
    if (!masked || is_finite(x)) lanes.add(x, i % lane_count);
  }
  lanes.fold(count, out);
}

template <class In, bool masked>
Deviations deviations(const std::byte* elements, std::size_t count, double center, bool absolute) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  alignas(16) double sum[lane_count];
  alignas(16) double sum_squares[lane_count];
  const std::int64_t kept_bits = absolute ? 0x7fffffffffffffff : -1;
  const I64x2 kept = {kept_bits, kept_bits};

  const std::size_t rows = count / lane_count;
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    const std::byte* from = elements + quarter * row_bytes / 4;
    F64x2 sum_low{}, sum_high{}, squares_low{}, squares_high{};
    const auto deviation = [&](F64x2 x) {
      const F64x2 d = rounded(std::bit_cast<F64x2>(std::bit_cast<I64x2>(x) & kept) - center);
      return masked ? std::bit_cast<F64x2>(std::bit_cast<I64x2>(d) & finite_mask(x)) : d;
    };
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Four<In> x = Four<In>::at(from);
      const F64x2 low = deviation(x.low());
      const F64x2 high = deviation(x.high());
      sum_low = rounded(sum_low + low);
      sum_high = rounded(sum_high + high);
      squares_low = rounded(squares_low + rounded(low * low));
      squares_high = rounded(squares_high + rounded(high * high));
    }
    const std::size_t j = 4 * quarter;
    std::memcpy(sum + j, &sum_low, 16);
    std::memcpy(sum + j + 2, &sum_high, 16);
    std::memcpy(sum_squares + j, &squares_low, 16);
    std::memcpy(sum_squares + j + 2, &squares_high, 16);
  }
  for (std::size_t j = 0; j < count % lane_count; ++j) {
    const In x = load<In>(elements + rows * row_bytes + j * sizeof(In));
    if (masked && !is_finite(x)) continue;
    const auto bits = std::bit_cast<std::int64_t>(static_cast<double>(x)) & kept_bits;
    const double d = rounded(std::bit_cast<double>(bits) - center);
    sum[j] = rounded(sum[j] + d);
    sum_squares[j] = rounded(sum_squares[j] + rounded(d * d));
  }
  return {add_lanes(sum, count), add_lanes(sum_squares, count)};
}

template <class In>
void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  I32x4 odd{};
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    F64x2 mantissa_low = {1, 1}, mantissa_high = {1, 1};
    I64x2 exponent_low{}, exponent_high{};
    const auto multiply = [&](F64x2 x, F64x2& product, I64x2& sum) {
      const auto bits = std::bit_cast<I64x2>(x);
      const I64x2 biased = (bits >> 52) & 0x7ff;
      const auto factor_mantissa = std::bit_cast<F64x2>((bits & ~0x7ff0000000000000) | 0x3ff0000000000000);
      product = rounded(product * factor_mantissa);
      sum += biased;
      // 0 for zeros and subnormals, 0x800 for NaN and infinities; the others have a bit among 0x7fe.
      odd |= (std::bit_cast<I32x4>(biased + 1) & 0x7fe) == 0;
    };
    const std::byte* from = elements + quarter * row_bytes / 4;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Four<In> x = Four<In>::at(from);
      multiply(x.low(), mantissa_low, exponent_low);
      multiply(x.high(), mantissa_high, exponent_high);
    }
    std::memcpy(out.mantissa + 4 * quarter, &mantissa_low, 16);
    std::memcpy(out.mantissa + 4 * quarter + 2, &mantissa_high, 16);
    std::memcpy(out.exponent + 4 * quarter, &exponent_low, 16);
    std::memcpy(out.exponent + 4 * quarter + 2, &exponent_high, 16);
  }
  out.odd = odd[0] != 0 || odd[2] != 0;  // the upper halves of 64-bit elements are always "odd"
}

}  // namespace detail::vector16
TENSORTAP_END_NAMESPACE
