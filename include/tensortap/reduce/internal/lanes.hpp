// The shape of every floating-point sum in the library, and the parts that its kernels are made of. A tensor is cut
// into blocks of 4096 elements; in a block, lane j of 32 takes the elements 32r + j in order; the lanes are added in
// halves (j and j + 16, then j + 8 …), the blocks in pairs. Every addition is one of float64, in this order on every
// machine: neither the instruction set nor the compiler's flags nor the number of threads can change a bit.
//
// Kernels count nothing. The totals of a block show whether it holds NaN, infinities or zeros, and only such a block is
// read again, while it is in the L1 cache.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/internal/vector_part.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::size_t block_size = 4096;
inline constexpr std::size_t lane_count = 32;

using F32x4 [[gnu::vector_size(16)]] = float;
using F64x2 [[gnu::vector_size(16)]] = double;
using F32x2 [[gnu::vector_size(8)]] = float;
using I32x4 [[gnu::vector_size(16)]] = std::int32_t;
using I64x2 [[gnu::vector_size(16)]] = std::int64_t;

/// Loads a number, of any alignment.
template <class T>
[[gnu::always_inline]] inline T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline F64x2 lanes_at(const double* from) noexcept {
  F64x2 x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

inline F64x2 magnitude(F64x2 x) noexcept { return std::bit_cast<F64x2>(std::bit_cast<I64x2>(x) & 0x7fffffffffffffff); }

/// Sets all bits of a lane where `x` is finite, and none elsewhere.
inline I64x2 finite_mask(F64x2 x) noexcept {
  return (std::bit_cast<I64x2>(x) & 0x7ff0000000000000) != 0x7ff0000000000000;
}

/// Replaces NaN and the infinities by 0.
inline F64x2 finite_or_zero(F64x2 x) noexcept { return std::bit_cast<F64x2>(std::bit_cast<I64x2>(x) & finite_mask(x)); }

inline F32x4 upper_half_twice(F32x4 v) noexcept {
#ifdef __clang__
  return __builtin_shufflevector(v, v, 2, 3, 2, 3);
#else
  return __builtin_shuffle(v, I32x4{2, 3, 2, 3});
#endif
}

/// Four neighbouring lanes of float or double.
template <class In>
struct Four;

template <>
struct Four<float> {
  F32x4 v;

  /// Pinned: else g++ 12 reads the memory again, element by element, to convert it.
  static Four at(const std::byte* from) noexcept { return {rounded(load<F32x4>(from))}; }
  static Four of_lanes(const float* from) noexcept { return at(reinterpret_cast<const std::byte*>(from)); }
  static Four splat(float x) noexcept { return {F32x4{x, x, x, x}}; }
  void store(float* to) const noexcept { std::memcpy(to, &v, sizeof v); }

  [[nodiscard]] F64x2 low() const noexcept {
    return __builtin_convertvector(TENSORTAP_VECTOR_PART(F32x2, v, 0, 0, 1), F64x2);
  }
  /// By way of low(), and pinned: g++ 12 would convert the upper half one by one.
  [[nodiscard]] F64x2 high() const noexcept { return Four{rounded(upper_half_twice(v))}.low(); }
  [[nodiscard]] Four magnitude() const noexcept { return {std::bit_cast<F32x4>(std::bit_cast<I32x4>(v) & 0x7fffffff)}; }
  [[nodiscard]] Four min(Four other) const noexcept { return {v < other.v ? v : other.v}; }
  [[nodiscard]] Four max(Four other) const noexcept { return {v > other.v ? v : other.v}; }
  [[nodiscard]] Four plus(Four other) const noexcept { return {rounded(v + other.v)}; }
  /// Replaces NaN and the infinities by the lanes of `other`.
  [[nodiscard]] Four finite_or(Four other) const noexcept {
    const auto bits = std::bit_cast<I32x4>(v);
    const I32x4 finite = (bits & 0x7f800000) != 0x7f800000;
    return {std::bit_cast<F32x4>((bits & finite) | (std::bit_cast<I32x4>(other.v) & ~finite))};
  }
};

template <>
struct Four<double> {
  F64x2 a, b;

  static Four at(const std::byte* from) noexcept { return {load<F64x2>(from), load<F64x2>(from + sizeof(F64x2))}; }
  static Four of_lanes(const double* from) noexcept { return at(reinterpret_cast<const std::byte*>(from)); }
  static Four splat(double x) noexcept { return {F64x2{x, x}, F64x2{x, x}}; }
  void store(double* to) const noexcept { std::memcpy(to, this, sizeof *this); }

  [[nodiscard]] F64x2 low() const noexcept { return a; }
  [[nodiscard]] F64x2 high() const noexcept { return b; }
  [[nodiscard]] Four magnitude() const noexcept { return {detail::magnitude(a), detail::magnitude(b)}; }
  [[nodiscard]] Four min(Four other) const noexcept { return {a < other.a ? a : other.a, b < other.b ? b : other.b}; }
  [[nodiscard]] Four max(Four other) const noexcept { return {a > other.a ? a : other.a, b > other.b ? b : other.b}; }
  [[nodiscard]] Four plus(Four other) const noexcept { return {rounded(a + other.a), rounded(b + other.b)}; }
  [[nodiscard]] Four finite_or(Four other) const noexcept { return {pick(a, other.a), pick(b, other.b)}; }

 private:
  static F64x2 pick(F64x2 x, F64x2 other) noexcept {
    const I64x2 finite = finite_mask(x);
    return std::bit_cast<F64x2>((std::bit_cast<I64x2>(x) & finite) | (std::bit_cast<I64x2>(other) & ~finite));
  }
};

/// Combines lanes j and j + 16, then j and j + 8, and so on. Skips lanes beyond the first `used`.
template <class T, class Combine>
[[gnu::always_inline]] inline T fold_lanes(T (&lane)[lane_count], std::size_t used, Combine combine) noexcept {
  for (std::size_t width = lane_count / 2; width > 0; width /= 2) {
    if (width >= used) continue;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < width; ++j) lane[j] = combine(lane[j], lane[j + width]);
  }
  return lane[0];
}

/// Adds lanes j and j + 16, then j and j + 8, and so on. Lanes beyond the first `used` are 0.
[[gnu::always_inline]] inline double add_lanes(double (&lane)[lane_count], std::size_t used) noexcept {
  return fold_lanes(lane, used, [](double a, double b) { return rounded(a + b); });
}

/// Combines the values of `blocks` blocks in a binary tree. `leaf(i)` returns the value of block i and is called in
/// order of i; `merge` combines two neighbours. The left branch has 2^k blocks, with the largest k that leaves a block
/// on the right.
template <class Leaf, class Merge>
auto pairwise(std::size_t first, std::size_t blocks, Leaf& leaf, const Merge& merge) -> decltype(leaf(first)) {
  if (blocks == 1) return leaf(first);
  const std::size_t half = std::bit_floor(blocks - 1);
  const auto left = pairwise(first, half, leaf, merge);
  return merge(left, pairwise(first + half, blocks - half, leaf, merge));
}

/// What a pass over the elements finds; a set of bits.
enum Parts : unsigned {
  extremes = 1,  ///< min, max, abs_min, and zeros if they are extremes
  sums = 2,      ///< sum and abs_sum
  squares = 4,   ///< sum of squares
  everything = 7,
  deviations = 8,  ///< squared deviations from the mean; needs all of the above
  places = 16,     ///< the index of the largest magnitude, and the bits of the first NaN or infinity
  whole = 31,
};

/// What a kernel finds in a block. Fields outside the requested parts are not valid.
template <class In>
struct BlockTotals {
  double sum, abs_sum, sum_squares;
  In min, max, abs_min;  ///< zeros may have the wrong sign; not valid unless all elements are finite
  bool all_finite;       ///< may be false when only a sum has overflowed
};

/// Sums of x - center and of its square over the finite elements, or of |x| - center.
struct Deviations {
  double sum, sum_squares;
};

/// The product of the full rows of a block, by lanes: mantissa * 2^(exponent - 1023 * rows), where the magnitude of the
/// mantissa is at least 1 and below 2^rows.
struct LaneProducts {
  alignas(64) double mantissa[lane_count];
  alignas(64) std::int64_t exponent[lane_count];
  bool odd;  ///< true if a factor is zero, infinite or NaN, or if it is small; the lanes are then not valid
};

// The bits of a float64 minus `lowest_exponent` have none of `product_limits` if the magnitude is in [2^-63, 2^65).
inline constexpr std::int64_t lowest_exponent = std::int64_t{0x3c0} << 52;
inline constexpr std::int64_t product_limits = std::int64_t{0x780} << 52;

/// The 32 lanes of a block: the definition of what all kernels find.
template <class In, unsigned parts>
struct LaneTotals {
  static constexpr bool with_extremes = (parts & extremes) != 0;
  static constexpr bool with_sums = (parts & sums) != 0;
  static constexpr bool with_squares = (parts & squares) != 0;
  static constexpr bool with_guard = parts == extremes;  // sums magnitudes in In, which shows NaN and infinities

  alignas(64) double sum[lane_count];
  alignas(64) double abs_sum[lane_count];
  alignas(64) double sum_squares[lane_count];
  alignas(64) In min[lane_count];
  alignas(64) In max[lane_count];
  alignas(64) In abs_min[lane_count];
  alignas(64) In guard[lane_count];

  /// Resets all lanes. `start` is an element of the block, a finite one if a masked kernel skips others.
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

  /// Combines the lanes of a block of `count` elements.
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
