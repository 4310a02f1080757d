// The parts of which the kernels in AVX2 are made: eight elements in registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/internal/vector_part.hpp>
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
using U64x4 [[gnu::vector_size(32)]] = std::uint64_t;

/// Memory of any type and alignment as an operand of an instruction.
using Memory16 [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]] = char;
using Memory32 [[gnu::vector_size(32), gnu::aligned(1), gnu::may_alias]] = char;

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

TENSORTAP_AVX2_INLINE F64x4 lanes_at(const double* from) noexcept {
  F64x4 x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
TENSORTAP_AVX2_INLINE void store(F64x4 x, double* to) noexcept { __builtin_memcpy(to, &x, sizeof x); }

/// Eight neighbouring lanes as float64.
struct Wide {
  F64x4 low, high;
};

/// Eight neighbouring elements.
template <class In>
struct Eight;

template <>
struct Eight<float> {
  static constexpr bool even_and_odd = false;
  F32x8 x;

  TENSORTAP_AVX2_INLINE static Eight of_lanes(const float* from) noexcept {
    return at(reinterpret_cast<const std::byte*>(from));
  }
  TENSORTAP_AVX2_INLINE static Eight at(const std::byte* from) noexcept {
    Eight out;
    __builtin_memcpy(&out.x, from, sizeof out.x);
    return out;
  }
  TENSORTAP_AVX2_INLINE static Eight widened(const std::byte* from) noexcept { return at(from); }
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
  /// Adds by a fused multiply-add, which has the bits of a sum. AMD's processors have other units for it than for sums:
  /// statistics in the L2 cache of a Zen 4 from 23.7 to 25.4 GB/s.
  TENSORTAP_AVX2_INLINE static F64x4 add(F64x4 x, F64x4 to, F64x4 one) noexcept {
    asm("vfmadd231pd {%2, %1, %0|%0, %1, %2}" : "+x"(to) : "x"(x), "x"(one));
    return to;
  }
  TENSORTAP_AVX2_INLINE static F64x4 add_square(F64x4 x, F64x4 to) noexcept { return rounded(to + x * x); }

  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight magnitude() const noexcept {
    return {__builtin_bit_cast(F32x8, __builtin_bit_cast(I32x8, x) & 0x7fffffff)};
  }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight min(Eight other) const noexcept { return {avx2::min(x, other.x)}; }
  [[nodiscard]] TENSORTAP_AVX2_INLINE Eight max(Eight other) const noexcept { return {avx2::max(x, other.x)}; }
  TENSORTAP_AVX2_INLINE void add_up(const Eight& other) noexcept { x = rounded(x + other.x); }
  TENSORTAP_AVX2_INLINE void store(float* to) const noexcept { __builtin_memcpy(to, &x, sizeof x); }
};

template <>
struct Eight<double> {
  static constexpr bool even_and_odd = false;
  F64x4 a, b;

  TENSORTAP_AVX2_INLINE static Eight of_lanes(const double* from) noexcept {
    return at(reinterpret_cast<const std::byte*>(from));
  }
  TENSORTAP_AVX2_INLINE static Eight at(const std::byte* from) noexcept {
    Eight out;
    __builtin_memcpy(&out.a, from, sizeof out.a);
    __builtin_memcpy(&out.b, from + 32, sizeof out.b);
    return out;
  }
  TENSORTAP_AVX2_INLINE static Eight widened(const std::byte* from) noexcept { return at(from); }
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept {
    const Eight x = at(from);
    return {x.a, x.b};
  }
  /// Leaves out `one`, for which no register is left.
  TENSORTAP_AVX2_INLINE static F64x4 add(F64x4 x, F64x4 to, F64x4 /*one*/) noexcept { return rounded(to + x); }
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
  TENSORTAP_AVX2_INLINE void add_up(const Eight& other) noexcept {
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
  static constexpr bool even_and_odd = true;  ///< `wide` of memory gives the even elements, then the odd ones

  TENSORTAP_AVX2_INLINE static Eight<float> widened(const std::byte* from) noexcept {
    I32x8 bits;
    asm("vpmovzxwd {%1, %0|%0, %1}" : "=x"(bits) : "m"(*reinterpret_cast<const Memory16*>(from)));
    return {__builtin_bit_cast(F32x8, bits << 16)};
  }
  using Eight<float>::wide;
  /// Reads two neighbours as one integer: a shift makes a float of the even one, a mask one of the odd one.
  TENSORTAP_AVX2_INLINE static Wide wide(const std::byte* from) noexcept {
    I32x4 x;
    __builtin_memcpy(&x, from, sizeof x);
    F64x4 even, odd;
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=x"(even) : "x"(x << 16));
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=x"(odd) : "x"(x & ~0xffff));
    return {even, odd};
  }
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

}  // namespace detail::avx2
TENSORTAP_END_NAMESPACE

#endif
