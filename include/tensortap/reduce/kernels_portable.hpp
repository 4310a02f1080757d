// The kernels: loops over one block of at most 4096 float32 or float64 elements, for every machine, in vectors of 16
// bytes that any compiler lowers. They count nothing. Whether the block holds NaN, infinities or zeros shows afterwards
// in its totals, and only then it is read again, while it is in the L1 cache. Kernels for wider registers have these
// signatures and give these bits. Not for user code.
//
//   tensortap::detail::BlockTotals<float> totals;
//   tensortap::detail::portable_totals<float, tensortap::detail::everything, false>(bytes, 4096, first, totals);
#pragma once

#include <cstddef>
#include <cstdint>

#include <tensortap/reduce/lanes.hpp>

namespace tensortap::inline v0::detail {

/// What a pass over the elements is for; a set of bits.
enum Parts : unsigned {
  extremes = 1,  ///< min, max, abs_min, and zeros where they matter
  sums = 2,      ///< sum and abs_sum
  squares = 4,   ///< sum of squares
  everything = 7,
  deviations = 8,  ///< sums of squared deviations from the mean: found from all of the above, block by block
};

/// What a kernel finds in a block. Fields that were not asked for mean nothing.
template <class In>
struct BlockTotals {
  double sum, abs_sum, sum_squares;
  In min, max, abs_min;  ///< the sign of a zero means nothing; wrong if not all elements are finite
  bool all_finite;       ///< may be false when only a sum has overflowed
};

/// Reads block elements 4 lanes at a time (a quarter row), so that 16 registers hold all the accumulators. `masked`:
/// passes over NaN and infinities, as if the block did not have them; there must be a finite element. `start` is an
/// element of the block, a finite one if `masked`. Of the next block, it fetches what a straight walk over memory would
/// read, to L2: 0.62 -> 0.95 of the read limit; fetching it to L1 or past the caches is slower.
template <class In, unsigned parts, bool masked>
void portable_totals(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept {
  constexpr bool with_extremes = (parts & extremes) != 0;
  constexpr bool with_sums = (parts & sums) != 0;
  constexpr bool with_squares = (parts & squares) != 0;
  constexpr bool with_guard = !with_sums && !with_squares;  // sums magnitudes in In, only to see NaN and infinities
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  constexpr std::size_t block_bytes = block_size * sizeof(In);

  alignas(16) double sum[lane_count];
  alignas(16) double abs_sum[lane_count];
  alignas(16) double sum_squares[lane_count];
  alignas(16) In min[lane_count];
  alignas(16) In max[lane_count];
  alignas(16) In abs_min[lane_count];
  alignas(16) In guard[lane_count];

  const std::size_t rows = count / lane_count;
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    const std::byte* from = elements + quarter * row_bytes / 4;
    F64x2 sum_low{}, sum_high{}, abs_low{}, abs_high{}, squares_low{}, squares_high{};
    const Four<In> splat = Four<In>::splat(start);
    Four<In> lowest = splat, highest = splat, nearest = splat.magnitude(), seen{};
    pin(sum_low), pin(sum_high), pin(abs_low), pin(abs_high);  // 0 + -0 is 0, also under -ffast-math

    const auto row = [&](const std::byte* at) {
      const Four<In> x = Four<In>::at(at);
      if constexpr (with_extremes) {
        const Four<In> known = masked ? x.finite_or(splat) : x;
        const Four<In> size = known.magnitude();
        lowest = known.min(lowest);
        highest = known.max(highest);
        nearest = size.min(nearest);
        if constexpr (with_guard) seen = seen.plus(size);
      }
      if constexpr (with_sums || with_squares) {
        const F64x2 low = masked ? finite_or_zero(x.low()) : x.low();
        const F64x2 high = masked ? finite_or_zero(x.high()) : x.high();
        if constexpr (with_sums) {
          sum_low = rounded(sum_low + low);
          sum_high = rounded(sum_high + high);
          abs_low = rounded(abs_low + magnitude(low));
          abs_high = rounded(abs_high + magnitude(high));
        }
        if constexpr (with_squares) {  // exact for float32; those of float64 must be rounded before they are added
          squares_low = rounded(squares_low + rounded(low * low));
          squares_high = rounded(squares_high + rounded(high * high));
        }
      }
    };
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4, from += 4 * row_bytes) {
      // A cache line of the next block for each 64 bytes read here: quarter q fetches the q-th quarter of it.
      const std::byte* next = elements + block_bytes + quarter * (block_bytes / 4) + r * (row_bytes / 4);
      __builtin_prefetch(next, 0, 2);
      if constexpr (sizeof(In) == 8) __builtin_prefetch(next + 64, 0, 2);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k) row(from + k * row_bytes);
    }
    for (; r < rows; ++r, from += row_bytes) row(from);

    const std::size_t j = 4 * quarter;
    if constexpr (with_sums) {
      std::memcpy(sum + j, &sum_low, 16);
      std::memcpy(sum + j + 2, &sum_high, 16);
      std::memcpy(abs_sum + j, &abs_low, 16);
      std::memcpy(abs_sum + j + 2, &abs_high, 16);
    }
    if constexpr (with_squares) {
      std::memcpy(sum_squares + j, &squares_low, 16);
      std::memcpy(sum_squares + j + 2, &squares_high, 16);
    }
    if constexpr (with_extremes) {
      lowest.store(min + j);
      highest.store(max + j);
      nearest.store(abs_min + j);
      if constexpr (with_guard) seen.store(guard + j);
    }
  }

  // The last row, if it is not full.
  for (std::size_t j = 0; j < count % lane_count; ++j) {
    const In x = load<In>(elements + rows * row_bytes + j * sizeof(In));
    if (masked && !is_finite(x)) continue;
    const In size = std::bit_cast<In>(std::bit_cast<BitsOf<In>>(x) & ~sign_bit<In>);
    const double wide = x;
    if constexpr (with_sums) {
      sum[j] = rounded(sum[j] + wide);
      abs_sum[j] = rounded(abs_sum[j] + static_cast<double>(size));
    }
    if constexpr (with_squares) sum_squares[j] = rounded(sum_squares[j] + rounded(wide * wide));
    if constexpr (with_extremes) {
      min[j] = x < min[j] ? x : min[j];
      max[j] = x > max[j] ? x : max[j];
      abs_min[j] = size < abs_min[j] ? size : abs_min[j];
      if constexpr (with_guard) guard[j] = rounded(guard[j] + size);
    }
  }

  if constexpr (with_sums) {
    out.sum = add_lanes(sum, count);
    out.abs_sum = add_lanes(abs_sum, count);
  }
  if constexpr (with_squares) out.sum_squares = add_lanes(sum_squares, count);
  if constexpr (with_extremes) {
    out.min = fold_lanes(min, count, [](In a, In b) { return a < b ? a : b; });
    out.max = fold_lanes(max, count, [](In a, In b) { return a > b ? a : b; });
    out.abs_min = fold_lanes(abs_min, count, [](In a, In b) { return a < b ? a : b; });
  }
  if constexpr (with_sums) {
    out.all_finite = is_finite(out.abs_sum);
  } else if constexpr (with_squares) {
    out.all_finite = is_finite(out.sum_squares);
  } else {
    out.all_finite = is_finite(fold_lanes(guard, count, [](In a, In b) { return rounded(a + b); }));
  }
}

/// Sums of x - center and of its square over the finite elements; x is |x| if `absolute`.
struct Deviations {
  double sum, sum_squares;
};

template <class In, bool masked>
Deviations portable_deviations(const std::byte* elements, std::size_t count, double center, bool absolute) noexcept {
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

}  // namespace tensortap::inline v0::detail
