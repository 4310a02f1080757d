// The parts of which the kernels in AVX-512 are made: rows of 32 elements in registers. They use the compilers' vector
// types instead of <immintrin.h>, which costs 0.3 s to compile and raises false alarms of g++ 12, and inline assembly
// where compilers would emit two instructions for one.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/internal/vector_part.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

#if defined(__x86_64__)

// Stands on each function, because lambdas and callees do not inherit the target.
#define TENSORTAP_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define TENSORTAP_AVX512_INLINE TENSORTAP_AVX512 __attribute__((always_inline)) inline

TENSORTAP_BEGIN_NAMESPACE
namespace detail::avx512 {

using F32x8 [[gnu::vector_size(32)]] = float;
using F32x16 [[gnu::vector_size(64)]] = float;
using F64x4 [[gnu::vector_size(32)]] = double;
using F64x8 [[gnu::vector_size(64)]] = double;
using I32x8 [[gnu::vector_size(32)]] = std::int32_t;
using I32x16 [[gnu::vector_size(64)]] = std::int32_t;
using I64x8 [[gnu::vector_size(64)]] = std::int64_t;
using U16x32 [[gnu::vector_size(64)]] = std::uint16_t;

/// Memory of any type and alignment as an operand of an instruction.
using Memory16 [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]] = char;
using Memory32 [[gnu::vector_size(32), gnu::aligned(1), gnu::may_alias]] = char;
using Memory64 [[gnu::vector_size(64), gnu::aligned(1), gnu::may_alias]] = char;

/// Pins `x`, as `detail::rounded` does.
template <class Vector>
TENSORTAP_AVX512_INLINE Vector rounded(Vector x) noexcept {
  asm("" : "+v"(x));
  return x;
}
TENSORTAP_AVX512_INLINE F64x8 magnitude(F64x8 x) noexcept {
  return __builtin_bit_cast(F64x8, __builtin_bit_cast(I64x8, x) & 0x7fffffffffffffff);
}
template <class Vector>
TENSORTAP_AVX512_INLINE Vector vector_at(const std::byte* from) noexcept {
  Vector x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
TENSORTAP_AVX512_INLINE F32x8 lower(F32x16 x) noexcept {
  return TENSORTAP_VECTOR_PART(F32x8, x, 0, 0, 1, 2, 3, 4, 5, 6, 7);
}
TENSORTAP_AVX512_INLINE F32x8 upper(F32x16 x) noexcept {
  return TENSORTAP_VECTOR_PART(F32x8, x, 1, 8, 9, 10, 11, 12, 13, 14, 15);
}
TENSORTAP_AVX512_INLINE F64x8 widened(F32x8 x) noexcept {
  F64x8 out;
  asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out) : "v"(x));
  return out;
}

/// Adds by a fused multiply-add, which has the bits of a sum. AMD's processors have other units for it than for sums,
/// so that both together are faster: statistics in the L2 cache of a Zen 4 from 25 to 28.5 GB/s.
TENSORTAP_AVX512_INLINE F64x8 add_by_fma(F64x8 x, F64x8 to, F64x8 one) noexcept {
  asm("vfmadd231pd {%2, %1, %0|%0, %1, %2}" : "+v"(to) : "v"(x), "v"(one));
  return to;
}

/// Returns 0 for finite lanes, NaN for others.
template <class Vector>
TENSORTAP_AVX512_INLINE Vector zero_if_finite(Vector x) noexcept {
  return rounded(rounded(x) - x);
}

/// The smaller one of each two lanes, the larger one, and the smaller magnitude. Anything if one is NaN.
TENSORTAP_AVX512_INLINE void take_min(F32x16& x, F32x16 other) noexcept {
  asm("vminps {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other));
}
TENSORTAP_AVX512_INLINE void take_min(F64x8& x, F64x8 other) noexcept {
  asm("vminpd {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other));
}
TENSORTAP_AVX512_INLINE void take_max(F32x16& x, F32x16 other) noexcept {
  asm("vmaxps {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other));
}
TENSORTAP_AVX512_INLINE void take_max(F64x8& x, F64x8 other) noexcept {
  asm("vmaxpd {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other));
}
TENSORTAP_AVX512_INLINE void take_abs_min(F32x16& x, F32x16 other) noexcept {
  asm("vrangeps {$10, %1, %0, %0|%0, %0, %1, 10}" : "+v"(x) : "v"(other));
}
TENSORTAP_AVX512_INLINE void take_abs_min(F64x8& x, F64x8 other) noexcept {
  asm("vrangepd {$10, %1, %0, %0|%0, %0, %1, 10}" : "+v"(x) : "v"(other));
}

/// The 32 lanes of a row as float64. Half of the registers hold lanes 0 to 15, in the order of `Elements`.
struct Row {
  F64x8 a, b, c, d;
};

/// The 32 lanes of a row as float32.
struct Floats {
  F32x16 x, y;
};

/// How a row of elements in memory becomes float64, and the vectors of which extremes are found.
template <class Element>
struct Elements;

template <>
struct Elements<float> {
  using Vector = F32x16;
  static constexpr bool even_and_odd = false;

  /// Reads from memory: widening the upper half of a register takes two more instructions.
  TENSORTAP_AVX512_INLINE static F64x8 eight(const std::byte* from) noexcept {
    F64x8 out;
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out) : "m"(*reinterpret_cast<const Memory32*>(from)));
    return out;
  }
  TENSORTAP_AVX512_INLINE static Row row(const std::byte* from) noexcept {
    return {eight(from), eight(from + 32), eight(from + 64), eight(from + 96)};
  }
  TENSORTAP_AVX512_INLINE static Floats values(const std::byte* from) noexcept {
    return {vector_at<F32x16>(from), vector_at<F32x16>(from + 64)};
  }
  TENSORTAP_AVX512_INLINE static F64x8 add_square(F64x8 x, F64x8 to) noexcept { return rounded(to + x * x); }
};

template <>
struct Elements<Half> : Elements<float> {
  TENSORTAP_AVX512_INLINE static F64x8 eight(const std::byte* from) noexcept {
    F32x8 x;
    asm("vcvtph2ps {%1, %0|%0, %1}" : "=v"(x) : "m"(*reinterpret_cast<const Memory16*>(from)));
    return widened(x);
  }
  TENSORTAP_AVX512_INLINE static Row row(const std::byte* from) noexcept {
    return {eight(from), eight(from + 16), eight(from + 32), eight(from + 48)};
  }
  TENSORTAP_AVX512_INLINE static F32x16 sixteen(const std::byte* from) noexcept {
    F32x16 x;
    asm("vcvtph2ps {%1, %0|%0, %1}" : "=v"(x) : "m"(*reinterpret_cast<const Memory32*>(from)));
    return x;
  }
  TENSORTAP_AVX512_INLINE static Floats values(const std::byte* from) noexcept {
    return {sixteen(from), sixteen(from + 32)};
  }
  TENSORTAP_AVX512_INLINE static Row row(const Floats& f) noexcept {
    return {widened(lower(f.x)), widened(upper(f.x)), widened(lower(f.y)), widened(upper(f.y))};
  }
};

/// Reads two neighbours as one integer: a shift makes a float of the even one, a mask one of the odd one.
template <>
struct Elements<BFloat16> : Elements<float> {
  static constexpr bool even_and_odd = true;  ///< of lanes 0 to 15, one register has the even ones, the next the odd
  static constexpr std::int32_t upper_bits = ~0xffff;

  TENSORTAP_AVX512_INLINE static Row row(const std::byte* from) noexcept {
    const auto low = vector_at<I32x8>(from);
    const auto high = vector_at<I32x8>(from + 32);
    return {widened(__builtin_bit_cast(F32x8, low << 16)), widened(__builtin_bit_cast(F32x8, low & upper_bits)),
            widened(__builtin_bit_cast(F32x8, high << 16)), widened(__builtin_bit_cast(F32x8, high & upper_bits))};
  }
  TENSORTAP_AVX512_INLINE static Floats values(const std::byte* from) noexcept {
    const auto x = vector_at<I32x16>(from);
    return {__builtin_bit_cast(F32x16, x << 16), __builtin_bit_cast(F32x16, x & upper_bits)};
  }
  TENSORTAP_AVX512_INLINE static Row row(const Floats& f) noexcept {
    return {widened(lower(f.x)), widened(lower(f.y)), widened(upper(f.x)), widened(upper(f.y))};
  }
};

template <>
struct Elements<double> {
  using Vector = F64x8;
  static constexpr bool even_and_odd = false;

  TENSORTAP_AVX512_INLINE static Row row(const std::byte* from) noexcept {
    return {vector_at<F64x8>(from), vector_at<F64x8>(from + 64), vector_at<F64x8>(from + 128),
            vector_at<F64x8>(from + 192)};
  }
  /// Pins the registers: else g++ 12 reads the memory again for each use.
  TENSORTAP_AVX512_INLINE static Row values(const std::byte* from) noexcept {
    const Row x = row(from);
    return {rounded(x.a), rounded(x.b), rounded(x.c), rounded(x.d)};
  }
  TENSORTAP_AVX512_INLINE static const Row& row(const Row& x) noexcept { return x; }
  /// Rounds the square before adding it.
  TENSORTAP_AVX512_INLINE static F64x8 add_square(F64x8 x, F64x8 to) noexcept { return rounded(to + rounded(x * x)); }
};

/// Adds the lanes j and j + 4, then j and j + 2 of eight.
TENSORTAP_AVX512_INLINE F64x2 two_of(F64x8 x) noexcept {
  const F64x4 four =
      rounded(TENSORTAP_VECTOR_PART(F64x4, x, 0, 0, 1, 2, 3) + TENSORTAP_VECTOR_PART(F64x4, x, 1, 4, 5, 6, 7));
  return rounded(TENSORTAP_VECTOR_PART(F64x2, four, 0, 0, 1) + TENSORTAP_VECTOR_PART(F64x2, four, 1, 2, 3));
}

/// Adds the lanes j and j + 16, then j and j + 8, and so on.
template <bool even_and_odd>
TENSORTAP_AVX512_INLINE double add_lanes(const Row& x) noexcept {
  const F64x8 first = rounded(x.a + x.c);
  const F64x8 second = rounded(x.b + x.d);
  if constexpr (even_and_odd) {
    const F64x2 even = two_of(first), odd = two_of(second);
    return rounded(rounded(even[0] + even[1]) + rounded(odd[0] + odd[1]));
  } else {
    const F64x2 two = two_of(rounded(first + second));
    return rounded(two[0] + two[1]);
  }
}

template <class E>
TENSORTAP_AVX512_INLINE void add_squares(const Row& x, Row& to) noexcept {
  to = {E::add_square(x.a, to.a), E::add_square(x.b, to.b), E::add_square(x.c, to.c), E::add_square(x.d, to.d)};
}

/// The extremes of a row, by lanes.
template <class Element>
struct Extremes {
  using Vector = F32x16;
  Vector low_0, low_1, high_0, high_1, near_0, near_1, guard;

  TENSORTAP_AVX512_INLINE void begin(float start) noexcept {
    low_0 = low_1 = high_0 = high_1 = near_0 = near_1 = Vector{} + start;
    take_abs_min(near_0, near_0);
    near_1 = near_0;
    guard = Vector{};
  }
  template <bool guarded>
  TENSORTAP_AVX512_INLINE void add(const Floats& f) noexcept {
    take_min(low_0, f.x), take_min(low_1, f.y);
    take_max(high_0, f.x), take_max(high_1, f.y);
    take_abs_min(near_0, f.x), take_abs_min(near_1, f.y);
    if constexpr (guarded) guard = rounded(rounded(guard + zero_if_finite(f.x)) + zero_if_finite(f.y));
  }
  TENSORTAP_AVX512_INLINE void join() noexcept {
    take_min(low_0, low_1);
    take_max(high_0, high_1);
    take_min(near_0, near_1);
  }
};

template <>
struct Extremes<double> {
  using Vector = F64x8;
  Vector low_0, low_1, low_2, low_3, high_0, high_1, high_2, high_3, near_0, near_1, near_2, near_3, guard;

  TENSORTAP_AVX512_INLINE void begin(double start) noexcept {
    low_0 = low_1 = low_2 = low_3 = high_0 = high_1 = high_2 = high_3 = near_0 = Vector{} + start;
    take_abs_min(near_0, near_0);
    near_1 = near_2 = near_3 = near_0;
    guard = Vector{};
  }
  template <bool guarded>
  TENSORTAP_AVX512_INLINE void add(const Row& x) noexcept {
    take_min(low_0, x.a), take_min(low_1, x.b), take_min(low_2, x.c), take_min(low_3, x.d);
    take_max(high_0, x.a), take_max(high_1, x.b), take_max(high_2, x.c), take_max(high_3, x.d);
    take_abs_min(near_0, x.a), take_abs_min(near_1, x.b), take_abs_min(near_2, x.c), take_abs_min(near_3, x.d);
    if constexpr (guarded) {
      guard = rounded(rounded(guard + zero_if_finite(x.a)) + zero_if_finite(x.b));
      guard = rounded(rounded(guard + zero_if_finite(x.c)) + zero_if_finite(x.d));
    }
  }
  TENSORTAP_AVX512_INLINE void join() noexcept {
    take_min(low_0, low_2), take_min(low_1, low_3), take_min(low_0, low_1);
    take_max(high_0, high_2), take_max(high_1, high_3), take_max(high_0, high_1);
    take_min(near_0, near_2), take_min(near_1, near_3), take_min(near_0, near_1);
  }
};

/// Returns the smallest lane.
TENSORTAP_AVX512_INLINE float lowest_of(F32x16 x) noexcept {
  const F32x8 a = lower(x), b = upper(x);
  const F32x8 eight = a < b ? a : b;
  const auto c = TENSORTAP_VECTOR_PART(F32x4, eight, 0, 0, 1, 2, 3);
  const auto d = TENSORTAP_VECTOR_PART(F32x4, eight, 1, 4, 5, 6, 7);
  const F32x4 four = c < d ? c : d;
  const float e = four[0] < four[2] ? four[0] : four[2];
  const float f = four[1] < four[3] ? four[1] : four[3];
  return e < f ? e : f;
}
TENSORTAP_AVX512_INLINE double lowest_of(F64x8 x) noexcept {
  const auto a = TENSORTAP_VECTOR_PART(F64x4, x, 0, 0, 1, 2, 3);
  const auto b = TENSORTAP_VECTOR_PART(F64x4, x, 1, 4, 5, 6, 7);
  const F64x4 four = a < b ? a : b;
  const double c = four[0] < four[2] ? four[0] : four[2];
  const double d = four[1] < four[3] ? four[1] : four[3];
  return c < d ? c : d;
}

/// Copies the last elements of a block, less than a row, to a row of memory. The lanes behind them hold 0, or the
/// element at `filler` if there is one.
template <class Element>
TENSORTAP_AVX512_INLINE void copy_last(const std::byte* from, std::size_t count, const std::byte* filler,
                                       std::byte* to) noexcept {
  Memory64 fill{};
  if (filler != nullptr) {
    if constexpr (sizeof(Element) == 2)
      fill = __builtin_bit_cast(Memory64, U16x32{} + load<std::uint16_t>(filler));
    else
      fill = __builtin_bit_cast(Memory64, typename Elements<Element>::Vector{} + load<Element>(filler));
  }
  for (std::size_t begin = 0, bytes = count * sizeof(Element); begin < lane_count * sizeof(Element); begin += 64) {
    const std::size_t here = bytes < begin ? 0 : bytes - begin < 64 ? bytes - begin : 64;
    const std::uint64_t mask = here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1;
    Memory64 x = fill;
    asm("vmovdqu8 {%1, %0%{%2%}|%0%{%2%}, %1}"
        : "+v"(x)
        : "m"(*reinterpret_cast<const Memory64*>(from + begin)), "Yk"(mask));
    __builtin_memcpy(to + begin, &x, sizeof x);
  }
}

/// Prefetches the row at `from` + `ahead` to the L2 cache.
template <std::size_t ahead, std::size_t row_bytes>
TENSORTAP_AVX512_INLINE void prefetch(const std::byte* from) noexcept {
#pragma GCC unroll 4
  for (std::size_t line = 0; line < row_bytes; line += 64) __builtin_prefetch(from + line + ahead, 0, 2);
}

}  // namespace detail::avx512
TENSORTAP_END_NAMESPACE

#endif
