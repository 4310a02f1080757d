// The kernels in AVX2 and FMA: half a row at a time, so that 16 registers hold all the accumulators. As with AVX-512,
// fused multiply-adds have the bits of a product and a sum where the products are exact. The l2 norm reads full
// blocks with `squares_of_two` or `squares_of_four`, and the rest with `totals`, as all other sums and extremes do.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

#if defined(__x86_64__)

// Stands on each function, because lambdas and callees do not inherit the target.
#define TENSORTAP_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TENSORTAP_AVX2_INLINE TENSORTAP_AVX2 __attribute__((always_inline)) inline

TENSORTAP_BEGIN_NAMESPACE
namespace detail::avx2 {

using F32x8 [[gnu::vector_size(32)]] = float;
using F64x4 [[gnu::vector_size(32)]] = double;
using I32x8 [[gnu::vector_size(32)]] = std::int32_t;
using I64x4 [[gnu::vector_size(32)]] = std::int64_t;
using U32x8 [[gnu::vector_size(32)]] = std::uint32_t;
using U64x4 [[gnu::vector_size(32)]] = std::uint64_t;

/// Memory of any type and alignment as an operand of an instruction.
using Memory16 [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]] = char;

/// Pins `x`, as `detail::rounded` does.
template <class Vector>
TENSORTAP_AVX2_INLINE Vector rounded(Vector x) noexcept {
  asm("" : "+x"(x));
  return x;
}
TENSORTAP_AVX2_INLINE F64x4 magnitude(F64x4 x) noexcept {
  return __builtin_bit_cast(F64x4, __builtin_bit_cast(I64x4, x) & 0x7fffffffffffffff);
}

/// min and max of each two lanes; `x` where they are equal or one is NaN.
TENSORTAP_AVX2_INLINE F32x8 min(F32x8 x, F32x8 other) noexcept {
  F32x8 out;
  asm("vminps {%1, %2, %0|%0, %2, %1}" : "=x"(out) : "x"(x), "x"(other));
  return out;
}
TENSORTAP_AVX2_INLINE F64x4 min(F64x4 x, F64x4 other) noexcept {
  F64x4 out;
  asm("vminpd {%1, %2, %0|%0, %2, %1}" : "=x"(out) : "x"(x), "x"(other));
  return out;
}
TENSORTAP_AVX2_INLINE F32x8 max(F32x8 x, F32x8 other) noexcept {
  F32x8 out;
  asm("vmaxps {%1, %2, %0|%0, %2, %1}" : "=x"(out) : "x"(x), "x"(other));
  return out;
}
TENSORTAP_AVX2_INLINE F64x4 max(F64x4 x, F64x4 other) noexcept {
  F64x4 out;
  asm("vmaxpd {%1, %2, %0|%0, %2, %1}" : "=x"(out) : "x"(x), "x"(other));
  return out;
}

TENSORTAP_AVX2_INLINE void store(F64x4 x, double* to) noexcept { __builtin_memcpy(to, &x, sizeof x); }

/// Eight neighbouring lanes as float64.
struct Wide {
  F64x4 low, high;
};

/// Eight neighbouring lanes: half a row.
template <class In>
struct Eight;

template <>
struct Eight<float> {
  F32x8 x;

  TENSORTAP_AVX2_INLINE static Eight splat(float x) noexcept { return {F32x8{} + x}; }
  TENSORTAP_AVX2_INLINE static Eight at(const std::byte* from) noexcept {
    Eight out;
    __builtin_memcpy(&out.x, from, sizeof out.x);
    return out;
  }
  /// Reads from memory: widening the upper half of a register takes two more instructions.
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept {
    F64x4 low, high;
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=x"(low) : "m"(*reinterpret_cast<const Memory16*>(from)));
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=x"(high) : "m"(*reinterpret_cast<const Memory16*>(from + 16)));
    return {low, high};
  }
  /// Uses inline assembly: g++ 12 would widen two elements at a time.
  [[nodiscard]] TENSORTAP_AVX2_INLINE Wide wide() const noexcept {
    F64x4 low, high;
    F32x8 upper;
    asm("vcvtps2pd {%x1, %0|%0, %x1}" : "=x"(low) : "x"(x));
    asm("vextractf128 {$1, %1, %x0|%x0, %1, 1}" : "=x"(upper) : "x"(x));
    asm("vcvtps2pd {%x1, %0|%0, %x1}" : "=x"(high) : "x"(upper));
    return {low, high};
  }
  TENSORTAP_AVX2_INLINE static F64x4 add_square(F64x4 x, F64x4 to) noexcept { return rounded(to + x * x); }

  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight magnitude() const noexcept {
    return {__builtin_bit_cast(F32x8, __builtin_bit_cast(I32x8, x) & 0x7fffffff)};
  }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight min(Eight other) const noexcept { return {avx2::min(x, other.x)}; }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight max(Eight other) const noexcept { return {avx2::max(x, other.x)}; }
  TENSORTAP_AVX2_INLINE void add(const Eight& other) noexcept { x = rounded(x + other.x); }
  TENSORTAP_AVX2_INLINE void store(float* to) const noexcept { __builtin_memcpy(to, &x, sizeof x); }
};

template <>
struct Eight<double> {
  F64x4 a, b;

  TENSORTAP_AVX2_INLINE static Eight splat(double x) noexcept { return {F64x4{} + x, F64x4{} + x}; }
  TENSORTAP_AVX2_INLINE static Eight at(const std::byte* from) noexcept {
    Eight out;
    __builtin_memcpy(&out.a, from, sizeof out.a);
    __builtin_memcpy(&out.b, from + 32, sizeof out.b);
    return out;
  }
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept {
    const Eight x = at(from);
    return {x.a, x.b};
  }
  /// Rounds the square before adding it.
  TENSORTAP_AVX2_INLINE static F64x4 add_square(F64x4 x, F64x4 to) noexcept { return rounded(to + rounded(x * x)); }

  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight magnitude() const noexcept {
    return {avx2::magnitude(a), avx2::magnitude(b)};
  }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight min(Eight other) const noexcept {
    return {avx2::min(a, other.a), avx2::min(b, other.b)};
  }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight max(Eight other) const noexcept {
    return {avx2::max(a, other.a), avx2::max(b, other.b)};
  }
  TENSORTAP_AVX2_INLINE void add(const Eight& other) noexcept {
    a = rounded(a + other.a);
    b = rounded(b + other.b);
  }
  TENSORTAP_AVX2_INLINE void store(double* to) const noexcept {
    avx2::store(a, to);
    avx2::store(b, to + 4);
  }
};

/// Eight 16-bit floats, which can only be widened.
template <>
struct Eight<BFloat16> : Eight<float> {
  TENSORTAP_AVX2_INLINE static Eight<float> widened(const std::byte* from) noexcept {
    I32x8 bits;
    asm("vpmovzxwd {%1, %0|%0, %1}" : "=x"(bits) : "m"(*reinterpret_cast<const Memory16*>(from)));
    return {__builtin_bit_cast(F32x8, bits << 16)};
  }
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept { return widened(from).wide(); }
};
template <>
struct Eight<Half> : Eight<float> {
  TENSORTAP_AVX2_INLINE static Eight<float> widened(const std::byte* from) noexcept {
    Eight<float> out;
    asm("vcvtph2ps {%1, %0|%0, %1}" : "=x"(out.x) : "m"(*reinterpret_cast<const Memory16*>(from)));
    return out;
  }
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept { return widened(from).wide(); }
};

template <class In, unsigned parts>
TENSORTAP_AVX2 void totals(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept {
  using Lanes = LaneTotals<In, parts>;
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  constexpr std::size_t half_block = block_size * sizeof(In) / 2;
  Lanes lanes;
  const std::size_t rows = count / lane_count;
  if (rows == 0) lanes.begin(start);
  for (std::size_t half = 0; rows > 0 && half < 2; ++half) {
    const std::byte* from = elements + half * row_bytes / 2;
    // Prefetches one cache line of the next block to L2 for each 64 bytes read here; each half fetches half of it.
    const std::byte* next = elements + (2 + half) * half_block;
    const F64x4 zero = rounded(F64x4{});  // 0 + -0 is 0, also under -ffast-math
    // One by one: g++ 12 keeps structures of these in memory.
    F64x4 sum_low = zero, sum_high = zero, abs_low = zero, abs_high = zero, squares_low = zero, squares_high = zero;
    Eight<In> lowest = Eight<In>::splat(start), highest = lowest, nearest = lowest.magnitude();
    Eight<In> guard = Eight<In>::splat(0);
#pragma GCC unroll 1  // unrolled, g++ 12 keeps half of the accumulators in memory
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes, next += row_bytes / 2) {
      __builtin_prefetch(next, 0, 2);
      __builtin_prefetch(from + (std::size_t{1} << 10), 0, 3);
      if constexpr (Lanes::with_extremes) {
        const Eight<In> x = Eight<In>::at(from);
        const Eight<In> size = x.magnitude();
        lowest = lowest.min(x);
        highest = highest.max(x);
        nearest = nearest.min(size);
        if constexpr (Lanes::with_guard) guard.add(size);
      }
      if constexpr (Lanes::with_sums || Lanes::with_squares) {
        const Wide x = Eight<In>::wide(from);
        if constexpr (Lanes::with_sums) {
          sum_low = rounded(sum_low + x.low);
          sum_high = rounded(sum_high + x.high);
          abs_low = rounded(abs_low + magnitude(x.low));
          abs_high = rounded(abs_high + magnitude(x.high));
        }
        if constexpr (Lanes::with_squares) {
          squares_low = Eight<In>::add_square(x.low, squares_low);
          squares_high = Eight<In>::add_square(x.high, squares_high);
        }
      }
    }
    const std::size_t j = 8 * half;
    store(sum_low, lanes.sum + j);
    store(sum_high, lanes.sum + j + 4);
    store(abs_low, lanes.abs_sum + j);
    store(abs_high, lanes.abs_sum + j + 4);
    store(squares_low, lanes.sum_squares + j);
    store(squares_high, lanes.sum_squares + j + 4);
    lowest.store(lanes.min + j);
    highest.store(lanes.max + j);
    nearest.store(lanes.abs_min + j);
    guard.store(lanes.guard + j);
  }
  for (std::size_t j = 0; j < count % lane_count; ++j)
    lanes.add(load<In>(elements + rows * row_bytes + j * sizeof(In)), j);
  lanes.fold(count, out);
}

/// Finds the sums of squares of two full blocks that begin `apart` bytes from each other, with alternating rows: within
/// one block, each row waits for the sum of the row before.
template <class Element>
TENSORTAP_AVX2 void squares_of_two(const std::byte* from, std::size_t apart, double* out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  constexpr std::size_t line = row_bytes < 64 ? row_bytes : 64;
  F64x4 a0{}, a1{}, a2{}, a3{}, b0{}, b1{}, b2{}, b3{};  // of the first and the second, four lanes each
#pragma GCC unroll 2
  for (std::size_t rows = block_size / lane_count; rows > 0; --rows, from += row_bytes) {
    const Wide a_low = Eight<Element>::wide(from);
    const Wide a_high = Eight<Element>::wide(from + row_bytes / 2);
    const Wide b_low = Eight<Element>::wide(from + apart);
    const Wide b_high = Eight<Element>::wide(from + apart + row_bytes / 2);
    for (std::size_t at = 0; at < row_bytes; at += line) {
      __builtin_prefetch(from + at + 2048, 0, 2);
      __builtin_prefetch(from + apart + at + 2048, 0, 2);
    }
    a0 = Eight<Element>::add_square(a_low.low, a0);
    a1 = Eight<Element>::add_square(a_low.high, a1);
    a2 = Eight<Element>::add_square(a_high.low, a2);
    a3 = Eight<Element>::add_square(a_high.high, a3);
    b0 = Eight<Element>::add_square(b_low.low, b0);
    b1 = Eight<Element>::add_square(b_low.high, b1);
    b2 = Eight<Element>::add_square(b_high.low, b2);
    b3 = Eight<Element>::add_square(b_high.high, b3);
  }
  alignas(32) double lanes[2][lane_count];
  store(a0, lanes[0]);
  store(a1, lanes[0] + 4);
  store(a2, lanes[0] + 8);
  store(a3, lanes[0] + 12);
  store(b0, lanes[1]);
  store(b1, lanes[1] + 4);
  store(b2, lanes[1] + 8);
  store(b3, lanes[1] + 12);
  out[0] = add_lanes(lanes[0], lane_count);
  out[1] = add_lanes(lanes[1], lane_count);
}

template <class Element>
void squares_of_four(const std::byte* elements, std::size_t apart, double* out) noexcept {
  squares_of_two<Element>(elements, apart, out);
  squares_of_two<Element>(elements + 2 * apart, apart, out + 2);
}

/// Eight neighbouring lanes of factors, split into mantissas in [1, 2) and exponents, which are added up.
template <class In>
struct Factors;

template <>
struct Factors<float> {
  static constexpr std::int64_t bias = 1023 - 127;  // by which exponents are larger in float64
  U32x8 exponent{}, odd{};

  TENSORTAP_AVX2_INLINE Wide mantissas(const std::byte* from) noexcept {
    U32x8 bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    const U32x8 biased = (bits << 1) >> 24;
    exponent += biased;
    odd |= __builtin_bit_cast(U32x8, ((biased + 1) & 0xfe) == 0);  // 0 and 0xff: all but normal numbers
    return Eight<float>{__builtin_bit_cast(F32x8, (bits & 0x807fffff) | 0x3f800000)}.wide();
  }
};

template <>
struct Factors<double> {
  static constexpr std::int64_t bias = 0;
  U64x4 exponent_low{}, exponent_high{}, odd{};

  TENSORTAP_AVX2_INLINE Wide mantissas(const std::byte* from) noexcept {
    const Wide x = Eight<double>::wide(from);
    return {mantissa(x.low, exponent_low), mantissa(x.high, exponent_high)};
  }
  TENSORTAP_AVX2_INLINE F64x4 mantissa(F64x4 x, U64x4& exponent) noexcept {
    const auto bits = __builtin_bit_cast(U64x4, x);
    const U64x4 biased = (bits << 1) >> 53;
    exponent += biased;
    odd |= __builtin_bit_cast(U64x4, ((biased + 1) & 0x7fe) == 0);
    return __builtin_bit_cast(F64x4, (bits & 0x800fffffffffffff) | 0x3ff0000000000000);
  }
};

template <class In>
TENSORTAP_AVX2 void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  out.odd = false;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::byte* from = elements + half * row_bytes / 2;
    F64x4 low = F64x4{} + 1, high = low;
    Factors<In> factors;
#pragma GCC unroll 1
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Wide mantissas = factors.mantissas(from);
      low = rounded(low * mantissas.low);
      high = rounded(high * mantissas.high);
    }
    const std::size_t j = 8 * half;
    store(low, out.mantissa + j);
    store(high, out.mantissa + j + 4);
    BitsOf<In> exponents[8], odd[sizeof factors.odd / sizeof(BitsOf<In>)];
    __builtin_memcpy(exponents, &factors, sizeof exponents);
    __builtin_memcpy(odd, &factors.odd, sizeof odd);
    for (std::size_t k = 0; k < 8; ++k)
      out.exponent[j + k] =
          static_cast<std::int64_t>(exponents[k]) + static_cast<std::int64_t>(rows) * Factors<In>::bias;
    for (const BitsOf<In> lane : odd) out.odd = out.odd || lane != 0;
  }
}

/// Widens bfloat16 or binary16 to float. The elements come from memory, so this loop prefetches.
template <class Element>
TENSORTAP_AVX2 void widen(const std::byte* from, std::size_t count, float* to) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __builtin_prefetch(from + 2 * i + 2 * block_size, 0, 2);
    Eight<Element>::widened(from + 2 * i).store(to + i);
  }
  convert_elements<Element>(from + 2 * i, count - i, to + i);
}

}  // namespace detail::avx2
TENSORTAP_END_NAMESPACE

#undef TENSORTAP_AVX2_INLINE
#undef TENSORTAP_AVX2

#endif
