// The shape of every floating-point sum in the library, and the few pieces its kernels are made of. A tensor is cut
// into blocks of 4096 elements; in a block, lane j of 16 takes the elements 16r + j in order; the lanes are added in
// halves (j and j + 8, then j + 4 …), the blocks in pairs. Every addition is a float64 one and happens exactly so on
// every machine: neither the instruction set nor the compiler's flags nor the number of threads can change a bit.
// Not for user code.
//
//   double sum = 0;
//   for (const float x : row) sum = tensortap::detail::rounded(sum + double(x));   // not fused, not reordered
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::size_t block_size = 4096;
inline constexpr std::size_t lane_count = 16;

using F32x4 [[gnu::vector_size(16)]] = float;
using F64x2 [[gnu::vector_size(16)]] = double;
using I32x4 [[gnu::vector_size(16)]] = std::int32_t;
using I64x2 [[gnu::vector_size(16)]] = std::int64_t;

/// Makes the compiler compute `value` here: what an empty asm statement may change cannot be fused into an FMA,
/// reassociated under -ffast-math, or assumed to be finite. It emits nothing.
template <class T>
[[gnu::always_inline]] inline void pin(T& value) noexcept {
  if constexpr (std::integral<T>) {
    asm("" : "+r"(value));
  } else {
#if defined(__x86_64__)
    asm("" : "+x"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#else
    asm("" : "+m"(value));
#endif
  }
}

/// The value of an expression, rounded to its type and then left alone.
template <class T>
[[gnu::always_inline]] inline T rounded(T value) noexcept {
  pin(value);
  return value;
}

/// a / b; -ffast-math would multiply by the reciprocal of a divisor it knows.
[[gnu::always_inline]] inline double quotient(double a, double b) noexcept {
  pin(b);
  return rounded(a / b);
}

template <class Float>
using BitsOf = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

/// The bits of +infinity, which are also the mask of the exponent.
template <class Float>
inline constexpr BitsOf<Float> infinity_bits = static_cast<BitsOf<Float>>(sizeof(Float) == 4 ? 0x7f800000u
                                                                                             : 0x7ff0000000000000u);
template <class Float>
inline constexpr BitsOf<Float> sign_bit = BitsOf<Float>{1} << (8 * sizeof(Float) - 1);

/// The bits of a float, hidden from a compiler that assumes all floats to be finite.
template <std::floating_point Float>
[[gnu::always_inline]] inline BitsOf<Float> bits_of(const Float& value) noexcept {
  return rounded(std::bit_cast<BitsOf<Float>>(value));
}

template <std::floating_point Float>
[[gnu::always_inline]] inline bool is_finite(const Float& value) noexcept {
  return (bits_of(value) & infinity_bits<Float>) != infinity_bits<Float>;
}

template <std::floating_point Float>
[[gnu::always_inline]] inline bool is_negative(const Float& value) noexcept {
  return (bits_of(value) & sign_bit<Float>) != 0;
}

/// The number with these bits, of which the compiler knows nothing: for NaN and the infinities.
[[gnu::always_inline]] inline double number_of(std::uint64_t bits) noexcept {
  return std::bit_cast<double>(rounded(bits));
}

inline constexpr std::uint64_t nan_bits = 0x7ff8000000000000u;

/// The number at `from`, which need not be aligned.
template <class T>
[[gnu::always_inline]] inline T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline F64x2 magnitude(F64x2 x) noexcept { return std::bit_cast<F64x2>(std::bit_cast<I64x2>(x) & 0x7fffffffffffffff); }

/// All bits set where `x` is finite, none where it is not.
inline I64x2 finite_mask(F64x2 x) noexcept {
  return (std::bit_cast<I64x2>(x) & 0x7ff0000000000000) != 0x7ff0000000000000;
}

/// `x`, with 0 in the place of NaN and the infinities.
inline F64x2 finite_or_zero(F64x2 x) noexcept { return std::bit_cast<F64x2>(std::bit_cast<I64x2>(x) & finite_mask(x)); }

/// Four neighbouring lanes of float or double: a quarter of a row.
template <class In>
struct Four;

template <>
struct Four<float> {
  F32x4 v;

  /// Pinned: else g++ 12 reads the memory again, element by element, to convert it.
  static Four at(const std::byte* from) noexcept { return {rounded(load<F32x4>(from))}; }
  static Four splat(float x) noexcept { return {F32x4{x, x, x, x}}; }
  void store(float* to) const noexcept { std::memcpy(to, &v, sizeof v); }

  [[nodiscard]] F64x2 low() const noexcept {
    return __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1), F64x2);
  }
  /// By way of low(), and pinned: g++ 12 would convert the upper half one by one.
  [[nodiscard]] F64x2 high() const noexcept { return Four{rounded(__builtin_shufflevector(v, v, 2, 3, 2, 3))}.low(); }
  [[nodiscard]] Four magnitude() const noexcept { return {std::bit_cast<F32x4>(std::bit_cast<I32x4>(v) & 0x7fffffff)}; }
  [[nodiscard]] Four min(Four other) const noexcept { return {v < other.v ? v : other.v}; }
  [[nodiscard]] Four max(Four other) const noexcept { return {v > other.v ? v : other.v}; }
  [[nodiscard]] Four plus(Four other) const noexcept { return {rounded(v + other.v)}; }
  /// These lanes, with those of `other` in the place of NaN and the infinities.
  [[nodiscard]] Four finite_or(Four other) const noexcept {
    const I32x4 bits = std::bit_cast<I32x4>(v);
    const I32x4 finite = (bits & 0x7f800000) != 0x7f800000;
    return {std::bit_cast<F32x4>((bits & finite) | (std::bit_cast<I32x4>(other.v) & ~finite))};
  }
};

template <>
struct Four<double> {
  F64x2 a, b;

  static Four at(const std::byte* from) noexcept { return {load<F64x2>(from), load<F64x2>(from + sizeof(F64x2))}; }
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

/// Combines lanes j and j + 8, then j and j + 4, and so on. Beyond the first `used` lanes there is nothing to combine.
template <class T, class Combine>
[[gnu::always_inline]] inline T fold_lanes(T (&lane)[lane_count], std::size_t used, Combine combine) noexcept {
  for (std::size_t width = lane_count / 2; width > 0; width /= 2) {
    if (width >= used) continue;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < width; ++j) lane[j] = combine(lane[j], lane[j + width]);
  }
  return lane[0];
}

/// Adds lanes j and j + 8, then j and j + 4, and so on. Lanes beyond the first `used` are 0.
[[gnu::always_inline]] inline double add_lanes(double (&lane)[lane_count], std::size_t used) noexcept {
  return fold_lanes(lane, used, [](double a, double b) { return rounded(a + b); });
}

/// Combines blocks in pairs, then pairs of blocks, and so on: `leaf(i)` gives block i of `blocks`, in order of i, and
/// `merge` combines two neighbours. The left half has the largest power of two of blocks that leaves something on the
/// right.
template <class Leaf, class Merge>
auto pairwise(std::size_t first, std::size_t blocks, Leaf& leaf, const Merge& merge) -> decltype(leaf(first)) {
  if (blocks == 1) return leaf(first);
  const std::size_t half = std::bit_floor(blocks - 1);
  const auto left = pairwise(first, half, leaf, merge);
  return merge(left, pairwise(first + half, blocks - half, leaf, merge));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
