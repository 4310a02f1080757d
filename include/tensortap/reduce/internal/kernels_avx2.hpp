// The kernels in AVX2 and FMA: eight lanes at a time, so that 16 registers hold all the accumulators; sums of squares
// alone take a whole row. As with AVX-512, fused multiply-adds have the bits of a product and a sum where the products
// are exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/internal/vector_part.hpp>
#include <tensortap/reduce/internal/by_bits.hpp>
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

/// Adds by a fused multiply-add, which has the bits of a sum. AMD's processors have other units for it than for sums:
/// statistics in the L2 cache of a Zen 4 from 23.7 to 25.4 GB/s.
TENSORTAP_AVX2_INLINE F64x4 add_by_fma(F64x4 x, F64x4 to, F64x4 one) noexcept {
  asm("vfmadd231pd {%2, %1, %0|%0, %1, %2}" : "+x"(to) : "x"(x), "x"(one));
  return to;
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

/// Finds the totals of a block. `prefetching`: fetches the next block to the L2 cache meanwhile.
template <class Element, unsigned parts, bool prefetching>
TENSORTAP_AVX2 void totals(const std::byte* elements, std::size_t count, Computed<Element> start,
                           BlockTotals<Computed<Element>>& out) noexcept {
  using In = Computed<Element>;
  using Lanes = LaneTotals<In, parts>;
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  constexpr std::size_t chunk = 64;  // rows that stay in the L1 cache while all their lanes are read
  Lanes lanes;
  lanes.begin(start);
  const F64x4 one = rounded(F64x4{} + 1.0);
  const std::byte* at = elements;
  for (std::size_t rows = count / lane_count, now; rows > 0; rows -= now, at += now * row_bytes) {
    now = rows < chunk ? rows : chunk;
    for (std::size_t lane = 0; lane < lane_count; lane += 8) {
      const std::byte* from = at + lane * sizeof(Element);
      const std::byte* next = at + block_size * sizeof(Element) + lane * now * sizeof(Element);
      // One by one: g++ 12 keeps structures of these in memory.
      F64x4 sum_low = lanes_at(lanes.sum + lane), sum_high = lanes_at(lanes.sum + lane + 4);
      F64x4 abs_low = lanes_at(lanes.abs_sum + lane), abs_high = lanes_at(lanes.abs_sum + lane + 4);
      F64x4 squares_low = lanes_at(lanes.sum_squares + lane), squares_high = lanes_at(lanes.sum_squares + lane + 4);
      auto lowest = Eight<In>::of_lanes(lanes.min + lane), highest = Eight<In>::of_lanes(lanes.max + lane);
      auto nearest = Eight<In>::of_lanes(lanes.abs_min + lane), guard = Eight<In>::of_lanes(lanes.guard + lane);
#pragma GCC unroll 1  // unrolled, g++ 12 keeps half of the accumulators in memory
      for (std::size_t r = 0; r < now; ++r, from += row_bytes, next += row_bytes / 4) {
        if constexpr (prefetching) __builtin_prefetch(next, 0, 2);
        Wide wide{};
        if constexpr (sizeof(Element) != 2) wide = Eight<Element>::wide(from);
        if constexpr (Lanes::with_extremes || sizeof(Element) == 2) {
          const Eight<In> x = Eight<Element>::widened(from);
          if constexpr (sizeof(Element) == 2) wide = x.wide();
          if constexpr (Lanes::with_extremes) {
            const Eight<In> size = x.magnitude();
            lowest = lowest.min(x);
            highest = highest.max(x);
            nearest = nearest.min(size);
            if constexpr (Lanes::with_guard) guard.add(size);
          }
        }
        if constexpr (Lanes::with_sums) {
          sum_low = add_by_fma(wide.low, sum_low, one);
          sum_high = add_by_fma(wide.high, sum_high, one);
          abs_low = rounded(abs_low + magnitude(wide.low));
          abs_high = rounded(abs_high + magnitude(wide.high));
        }
        if constexpr (Lanes::with_squares) {
          squares_low = Eight<Element>::add_square(wide.low, squares_low);
          squares_high = Eight<Element>::add_square(wide.high, squares_high);
        }
      }
      store(sum_low, lanes.sum + lane);
      store(sum_high, lanes.sum + lane + 4);
      store(abs_low, lanes.abs_sum + lane);
      store(abs_high, lanes.abs_sum + lane + 4);
      store(squares_low, lanes.sum_squares + lane);
      store(squares_high, lanes.sum_squares + lane + 4);
      lowest.store(lanes.min + lane);
      highest.store(lanes.max + lane);
      nearest.store(lanes.abs_min + lane);
      guard.store(lanes.guard + lane);
    }
  }
  for (std::size_t j = 0; j < count % lane_count; ++j) lanes.add(load_computed<Element>(at + j * sizeof(Element)), j);
  lanes.fold(count, out);
}

/// The sums of squares of a row's lanes, in registers. One by one: g++ 12 keeps arrays in memory.
struct RowOfSquares {
  F64x4 a{}, b{}, c{}, d{}, e{}, f{}, g{}, h{};

  template <class Element>
  TENSORTAP_AVX2_INLINE void add(const std::byte* from) noexcept {
    using E = Eight<Element>;
    constexpr std::size_t eight = 8 * sizeof(Element);
    const Wide w = E::wide(from);
    a = E::add_square(w.low, a), b = E::add_square(w.high, b);
    const Wide x = E::wide(from + eight);
    c = E::add_square(x.low, c), d = E::add_square(x.high, d);
    const Wide y = E::wide(from + 2 * eight);
    e = E::add_square(y.low, e), f = E::add_square(y.high, f);
    const Wide z = E::wide(from + 3 * eight);
    g = E::add_square(z.low, g), h = E::add_square(z.high, h);
  }

  /// Adds the lanes j and j + 16, then j and j + 8, and so on.
  [[nodiscard]] TENSORTAP_AVX2_INLINE double total() const noexcept {
    const F64x4 first = rounded(rounded(a + e) + rounded(c + g));
    const F64x4 second = rounded(rounded(b + f) + rounded(d + h));
    const F64x4 four = rounded(first + second);
    const F64x2 two =
        detail::rounded(TENSORTAP_VECTOR_PART(F64x2, four, 0, 0, 1) + TENSORTAP_VECTOR_PART(F64x2, four, 1, 2, 3));
    return detail::rounded(two[0] + two[1]);
  }
};

/// Copies the last elements of a block, less than a row, to a row of memory that holds 0 behind them.
template <class Element>
TENSORTAP_AVX2_INLINE void copy_last(const std::byte* from, std::size_t count, std::byte* to) noexcept {
  if constexpr (sizeof(Element) == 2) {
    std::memset(to, 0, lane_count * sizeof(Element));
    std::memcpy(to, from, count * sizeof(Element));
  } else {  // a masked load: memory written in pieces is slow to read at once
    const auto words = static_cast<std::int32_t>(count * sizeof(Element) / 4);
#pragma GCC unroll 8
    for (std::int32_t first = 0; first < static_cast<std::int32_t>(lane_count * sizeof(Element) / 4); first += 8) {
      const I32x8 mask = I32x8{0, 1, 2, 3, 4, 5, 6, 7} < words - first;
      F32x8 x;
      asm("vmaskmovps {%1, %2, %0|%0, %2, %1}"
          : "=x"(x)
          : "m"(*reinterpret_cast<const Memory32*>(from + 4 * first)), "x"(mask));
      __builtin_memcpy(to + 4 * first, &x, sizeof x);
    }
  }
}

/// Finds the sum of squares of a block. `prefetching`: fetches what lies a block ahead to the L2 cache meanwhile.
template <class Element, bool prefetching>
TENSORTAP_AVX2 double squares_of(const std::byte* from, std::size_t count) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  RowOfSquares found;
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) {
    if constexpr (prefetching)
      for (std::size_t line = 0; line < row_bytes; line += 64)
        __builtin_prefetch(from + block_size * sizeof(Element) + line, 0, 2);
    found.add<Element>(from);
  }
  if (const std::size_t rest = count % lane_count; rest > 0) {
    alignas(32) std::byte last[row_bytes];
    copy_last<Element>(from, rest, last);
    found.add<Element>(last);
  }
  return found.total();
}

/// Finds the sums of squares of four full blocks that begin `apart` bytes from each other.
template <class Element>
void squares_of_four(const std::byte* elements, std::size_t apart, double* out) noexcept {
  for (std::size_t k = 0; k < 4; ++k) out[k] = squares_of<Element, true>(elements + k * apart, block_size);
}

template <class Element>
TENSORTAP_AVX2 Zeros count_zeros(const std::byte* elements, std::size_t count) noexcept {
  return detail::count_zeros<Element, 32>(elements, count);
}

template <class Element>
TENSORTAP_AVX2 std::size_t find_magnitude(const std::byte* elements, std::size_t count,
                                          BitsOf<Element> magnitude) noexcept {
  return detail::find_magnitude<Element, 32>(elements, count, magnitude);
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
  for (std::size_t j = 0; j < lane_count; j += 8) {
    const std::byte* from = elements + j * sizeof(In);
    F64x4 low = F64x4{} + 1, high = low;
    Factors<In> factors;
#pragma GCC unroll 1
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Wide mantissas = factors.mantissas(from);
      low = rounded(low * mantissas.low);
      high = rounded(high * mantissas.high);
    }
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
