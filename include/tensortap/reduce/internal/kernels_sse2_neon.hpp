// The kernels in vectors of 16 bytes, which any compiler lowers to SSE2 or NEON: four lanes at a time, so that 16
// registers hold all the accumulators; sums of squares alone take 16 lanes at a time.
#pragma once

#include <algorithm>
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
  constexpr std::size_t chunk = 8;  // rows that are read before the next ones, so that memory is read in order
  Lanes lanes;
  lanes.begin(start);
  const Four<In> filler = Four<In>::splat(start);
  const std::byte* at = elements;
  for (std::size_t rows = count / lane_count, now; rows > 0; rows -= now, at += now * row_bytes) {
    now = std::min(rows, chunk);
    for (std::size_t lane = 0; lane < lane_count; lane += 4) {
      const std::byte* from = at + lane * sizeof(In);
      const std::byte* next = at + block_size * sizeof(In) + lane * now * sizeof(In);
      F64x2 sum_low = lanes_at(lanes.sum + lane), sum_high = lanes_at(lanes.sum + lane + 2);
      F64x2 abs_low = lanes_at(lanes.abs_sum + lane), abs_high = lanes_at(lanes.abs_sum + lane + 2);
      F64x2 squares_low = lanes_at(lanes.sum_squares + lane), squares_high = lanes_at(lanes.sum_squares + lane + 2);
      auto lowest = Four<In>::of_lanes(lanes.min + lane), highest = Four<In>::of_lanes(lanes.max + lane);
      auto nearest = Four<In>::of_lanes(lanes.abs_min + lane), seen = Four<In>::of_lanes(lanes.guard + lane);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < now; ++r, from += row_bytes, next += row_bytes / 8) {
        if (r % (16 / sizeof(In)) == 0) __builtin_prefetch(next, 0, 2);  // once for a cache line
        const Four<In> x = Four<In>::at(from);
        if constexpr (Lanes::with_extremes) {
          const Four<In> known = masked ? x.finite_or(filler) : x;
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
      }
      std::memcpy(lanes.sum + lane, &sum_low, 16);
      std::memcpy(lanes.sum + lane + 2, &sum_high, 16);
      std::memcpy(lanes.abs_sum + lane, &abs_low, 16);
      std::memcpy(lanes.abs_sum + lane + 2, &abs_high, 16);
      std::memcpy(lanes.sum_squares + lane, &squares_low, 16);
      std::memcpy(lanes.sum_squares + lane + 2, &squares_high, 16);
      lowest.store(lanes.min + lane);
      highest.store(lanes.max + lane);
      nearest.store(lanes.abs_min + lane);
      seen.store(lanes.guard + lane);
    }
  }
  for (std::size_t j = 0; j < count % lane_count; ++j) {
    const In x = load<In>(at + j * sizeof(In));
    if (!masked || is_finite(x)) lanes.add(x, j);
  }
  lanes.fold(count, out);
}

template <class In>
double squares_of(const std::byte* elements, std::size_t count) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  constexpr std::size_t ahead = block_size * sizeof(In);  // prefetch distance to the L2 cache
  alignas(16) double lanes[lane_count];
  const std::size_t rows = count / lane_count;
  for (std::size_t lane = 0; lane < lane_count; lane += 16) {
    const std::byte* from = elements + lane * sizeof(In);
    F64x2 a{}, b{}, c{}, d{}, e{}, f{}, g{}, h{};  // one by one: g++ 12 keeps arrays in memory
    const auto add = [&](std::size_t first, F64x2& low, F64x2& high) {
      const Four<In> x = Four<In>::at(from + first * sizeof(In));
      const F64x2 x_low = x.low();
      const F64x2 x_high = x.high();
      low = rounded(low + rounded(x_low * x_low));
      high = rounded(high + rounded(x_high * x_high));
    };
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      for (std::size_t line = 0; line < row_bytes / 2; line += 64) __builtin_prefetch(from + ahead + line, 0, 2);
      add(0, a, b), add(4, c, d), add(8, e, f), add(12, g, h);
    }
    const F64x2 found[8] = {a, b, c, d, e, f, g, h};
    std::memcpy(lanes + lane, found, sizeof found);
  }
  for (std::size_t j = 0; j < count % lane_count; ++j) {
    const auto x = static_cast<double>(load<In>(elements + (rows * lane_count + j) * sizeof(In)));
    lanes[j] = rounded(lanes[j] + rounded(x * x));
  }
  return add_lanes(lanes, count);
}

template <class In, bool masked>
Deviations deviations(const std::byte* elements, std::size_t count, double center, bool absolute) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  alignas(16) double sum[lane_count];
  alignas(16) double sum_squares[lane_count];
  const std::int64_t kept_bits = absolute ? 0x7fffffffffffffff : -1;
  const I64x2 kept = {kept_bits, kept_bits};

  const std::size_t rows = count / lane_count;
  for (std::size_t lane = 0; lane < lane_count; lane += 4) {
    const std::byte* from = elements + lane * sizeof(In);
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
    std::memcpy(sum + lane, &sum_low, 16);
    std::memcpy(sum + lane + 2, &sum_high, 16);
    std::memcpy(sum_squares + lane, &squares_low, 16);
    std::memcpy(sum_squares + lane + 2, &squares_high, 16);
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
  for (std::size_t lane = 0; lane < lane_count; lane += 4) {
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
    const std::byte* from = elements + lane * sizeof(In);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Four<In> x = Four<In>::at(from);
      multiply(x.low(), mantissa_low, exponent_low);
      multiply(x.high(), mantissa_high, exponent_high);
    }
    std::memcpy(out.mantissa + lane, &mantissa_low, 16);
    std::memcpy(out.mantissa + lane + 2, &mantissa_high, 16);
    std::memcpy(out.exponent + lane, &exponent_low, 16);
    std::memcpy(out.exponent + lane + 2, &exponent_high, 16);
  }
  out.odd = odd[0] != 0 || odd[2] != 0;  // the upper halves of 64-bit elements are always "odd"
}

}  // namespace detail::vector16
TENSORTAP_END_NAMESPACE
