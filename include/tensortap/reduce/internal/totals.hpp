// What a kernel finds in a block of at most 4096 elements, and how: the definition, lane by lane. Kernels count
// nothing; whether a block holds NaN, infinities or zeros shows afterwards in its totals, and only then it is read
// again, while it is in the L1 cache. Not for user code.
//
//   tensortap::detail::LaneTotals<float, tensortap::detail::everything> lanes(block[0]);
//   for (std::size_t i = 0; i < block.size(); ++i) lanes.add(block[i], i % tensortap::detail::lane_count);
//   const tensortap::detail::BlockTotals<float> totals = lanes.folded(block.size());
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What a pass over the elements is for; a set of bits.
enum Parts : unsigned {
  extremes = 1,  ///< min, max, abs_min, and zeros where they matter
  sums = 2,      ///< sum and abs_sum
  squares = 4,   ///< sum of squares
  everything = 7,
  deviations = 8,  ///< sums of squared deviations from the mean: found from all of the above, block by block
  places = 16,     ///< where the largest magnitude is, and which bits the first NaN or infinity has
  whole = 31,
};

/// What a kernel finds in a block. Fields that were not asked for mean nothing.
template <class In>
struct BlockTotals {
  double sum, abs_sum, sum_squares;
  In min, max, abs_min;  ///< the sign of a zero means nothing; wrong if not all elements are finite
  bool all_finite;       ///< may be false when only a sum has overflowed
};

/// Sums of x - center and of its square over the finite elements; x is |x| if that is asked for.
struct Deviations {
  double sum, sum_squares;
};

/// The product of the full rows of a block, by lanes: mantissas in [1, 2) multiplied, biased exponents added.
struct LaneProducts {
  alignas(64) double mantissa[lane_count];
  alignas(64) std::int64_t exponent[lane_count];
  bool odd;  ///< there are zeros, NaN, infinities or subnormals (of float perhaps): the lanes mean nothing
};

/// The 16 lanes of a block. `start` is an element of the block, a finite one if others are passed over.
template <class In, unsigned parts>
struct LaneTotals {
  static constexpr bool with_extremes = (parts & extremes) != 0;
  static constexpr bool with_sums = (parts & sums) != 0;
  static constexpr bool with_squares = (parts & squares) != 0;
  static constexpr bool with_guard = parts == extremes;  // sums magnitudes in In, only to see NaN and infinities

  alignas(64) double sum[lane_count];
  alignas(64) double abs_sum[lane_count];
  alignas(64) double sum_squares[lane_count];
  alignas(64) In min[lane_count];
  alignas(64) In max[lane_count];
  alignas(64) In abs_min[lane_count];
  alignas(64) In guard[lane_count];

  /// All lanes as before the first element.
  void begin(In start) noexcept {
    for (std::size_t j = 0; j < lane_count; ++j) {
      sum[j] = abs_sum[j] = sum_squares[j] = rounded(0.0);  // 0 + -0 is 0, also under -ffast-math
      min[j] = max[j] = start;
      abs_min[j] = magnitude_of(start);
      guard[j] = 0;
    }
  }

  [[gnu::always_inline]] void add(In x, std::size_t j) noexcept {
    const In size = magnitude_of(x);
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

  /// The totals of a block of `count` elements.
  void fold(std::size_t count, BlockTotals<In>& out) noexcept {
    if constexpr (with_extremes) {
      out.min = fold_lanes(min, count, [](In a, In b) { return a < b ? a : b; });
      out.max = fold_lanes(max, count, [](In a, In b) { return a > b ? a : b; });
      out.abs_min = fold_lanes(abs_min, count, [](In a, In b) { return a < b ? a : b; });
      if constexpr (with_guard)
        out.all_finite = is_finite(fold_lanes(guard, count, [](In a, In b) { return rounded(a + b); }));
    }
    if constexpr (with_squares) {
      out.sum_squares = add_lanes(sum_squares, count);
      out.all_finite = is_finite(out.sum_squares);
    }
    if constexpr (with_sums) {
      out.sum = add_lanes(sum, count);
      out.abs_sum = add_lanes(abs_sum, count);
      out.all_finite = is_finite(out.abs_sum);
    }
  }

 private:
  static In magnitude_of(In x) noexcept { return std::bit_cast<In>(std::bit_cast<BitsOf<In>>(x) & ~sign_bit<In>); }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
