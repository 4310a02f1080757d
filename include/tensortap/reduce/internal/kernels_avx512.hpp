// The kernels in AVX-512: a row of 16 elements at a time. They use the compilers' vector types instead of
// <immintrin.h>, which costs 0.3 s to compile and raises false alarms of g++ 12, and inline assembly where compilers
// would emit two instructions for one. Products of two float32 are exact in float64, so that fused multiply-adds have
// the bits of a product and a sum. The l2 norm reads full blocks with `squares_of_two` or `squares_of_four`, and the
// rest with `totals`, as other sums and extremes do.
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
using I32x16 [[gnu::vector_size(64)]] = std::int32_t;
using I64x8 [[gnu::vector_size(64)]] = std::int64_t;

/// Memory of any type and alignment as an operand of an instruction.
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

/// The lanes of a row as float64.
struct Wide {
  F64x8 low, high;
};

/// Adds the lanes j and j + 8 of a row, then j and j + 4, and so on.
TENSORTAP_AVX512_INLINE double add_lanes(const Wide& x) noexcept {
  const F64x8 eight = rounded(x.low + x.high);
  const F64x4 four =
      rounded(TENSORTAP_VECTOR_PART(F64x4, eight, 0, 0, 1, 2, 3) + TENSORTAP_VECTOR_PART(F64x4, eight, 1, 4, 5, 6, 7));
  const F64x2 two = rounded(TENSORTAP_VECTOR_PART(F64x2, four, 0, 0, 1) + TENSORTAP_VECTOR_PART(F64x2, four, 1, 2, 3));
  return rounded(two[0] + two[1]);
}

/// A row of 16 elements.
template <class In>
struct Row;

template <>
struct Row<float> {
  F32x16 x;

  TENSORTAP_AVX512_INLINE static Row splat(float x) noexcept { return {F32x16{} + x}; }
  TENSORTAP_AVX512_INLINE static Row at(const std::byte* from) noexcept {
    Row row;
    __builtin_memcpy(&row.x, from, sizeof row.x);
    return row;
  }
  /// Loads the first `count` lanes, and takes the rest from `others`.
  TENSORTAP_AVX512_INLINE static Row at(const std::byte* from, std::size_t count, Row others) noexcept {
    const auto mask = static_cast<std::uint16_t>((1u << count) - 1);
    asm("vmovups {%1, %0%{%2%}|%0%{%2%}, %1}"
        : "+v"(others.x)
        : "m"(*reinterpret_cast<const Memory64*>(from)), "Yk"(mask));
    return others;
  }

  /// Reads from memory: widening the upper half of a register takes two more instructions.
  TENSORTAP_AVX512_INLINE static Wide wide(const std::byte* from) noexcept {
    Wide out;
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out.low) : "m"(*reinterpret_cast<const Memory32*>(from)));
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out.high) : "m"(*reinterpret_cast<const Memory32*>(from + 32)));
    return out;
  }
  [[nodiscard]] TENSORTAP_AVX512_INLINE Wide wide() const noexcept {
    const F32x8 low = TENSORTAP_VECTOR_PART(F32x8, x, 0, 0, 1, 2, 3, 4, 5, 6, 7);
    const F32x8 high = TENSORTAP_VECTOR_PART(F32x8, x, 1, 8, 9, 10, 11, 12, 13, 14, 15);
    Wide out;
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out.low) : "v"(low));
    asm("vcvtps2pd {%1, %0|%0, %1}" : "=v"(out.high) : "v"(high));
    return out;
  }
  TENSORTAP_AVX512_INLINE static F64x8 add_square(F64x8 x, F64x8 to) noexcept { return rounded(to + x * x); }

  [[nodiscard]] TENSORTAP_AVX512_INLINE Row magnitude() const noexcept {
    return {__builtin_bit_cast(F32x16, __builtin_bit_cast(I32x16, x) & 0x7fffffff)};
  }
  TENSORTAP_AVX512_INLINE void take_min(const Row& other) noexcept {
    asm("vminps {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other.x));
  }
  TENSORTAP_AVX512_INLINE void take_max(const Row& other) noexcept {
    asm("vmaxps {%0, %1, %0|%0, %1, %0}" : "+v"(x) : "v"(other.x));
  }
  TENSORTAP_AVX512_INLINE void add(const Row& other) noexcept { x = rounded(x + other.x); }
};

template <>
struct Row<double> {
  F64x8 a, b;

  TENSORTAP_AVX512_INLINE static Row splat(double x) noexcept { return {F64x8{} + x, F64x8{} + x}; }
  TENSORTAP_AVX512_INLINE static Row at(const std::byte* from) noexcept {
    Row row;
    __builtin_memcpy(&row.a, from, sizeof row.a);
    __builtin_memcpy(&row.b, from + 64, sizeof row.b);
    return row;
  }
  TENSORTAP_AVX512_INLINE static Row at(const std::byte* from, std::size_t count, Row others) noexcept {
    const unsigned mask = (1u << count) - 1;
    asm("vmovupd {%1, %0%{%2%}|%0%{%2%}, %1}"
        : "+v"(others.a)
        : "m"(*reinterpret_cast<const Memory64*>(from)), "Yk"(static_cast<std::uint8_t>(mask)));
    asm("vmovupd {%1, %0%{%2%}|%0%{%2%}, %1}"
        : "+v"(others.b)
        : "m"(*reinterpret_cast<const Memory64*>(from + 64)), "Yk"(static_cast<std::uint8_t>(mask >> 8)));
    return others;
  }

  TENSORTAP_AVX512_INLINE static Wide wide(const std::byte* from) noexcept { return at(from).wide(); }
  [[nodiscard]] TENSORTAP_AVX512_INLINE Wide wide() const noexcept { return {a, b}; }
  /// Rounds the square before adding it.
  TENSORTAP_AVX512_INLINE static F64x8 add_square(F64x8 x, F64x8 to) noexcept { return rounded(to + rounded(x * x)); }

  [[nodiscard]] TENSORTAP_AVX512_INLINE Row magnitude() const noexcept {
    return {avx512::magnitude(a), avx512::magnitude(b)};
  }
  TENSORTAP_AVX512_INLINE void take_min(const Row& other) noexcept {
    asm("vminpd {%0, %1, %0|%0, %1, %0}" : "+v"(a) : "v"(other.a));
    asm("vminpd {%0, %1, %0|%0, %1, %0}" : "+v"(b) : "v"(other.b));
  }
  TENSORTAP_AVX512_INLINE void take_max(const Row& other) noexcept {
    asm("vmaxpd {%0, %1, %0|%0, %1, %0}" : "+v"(a) : "v"(other.a));
    asm("vmaxpd {%0, %1, %0|%0, %1, %0}" : "+v"(b) : "v"(other.b));
  }
  TENSORTAP_AVX512_INLINE void add(const Row& other) noexcept {
    a = rounded(a + other.a);
    b = rounded(b + other.b);
  }
};

/// A row of 16-bit floats, which can only be widened.
template <>
struct Row<BFloat16> : Row<float> {
  TENSORTAP_AVX512_INLINE static Row<float> widened(const std::byte* from) noexcept {
    I32x16 bits;
    asm("vpmovzxwd {%1, %0|%0, %1}" : "=v"(bits) : "m"(*reinterpret_cast<const Memory32*>(from)));
    return {__builtin_bit_cast(F32x16, bits << 16)};
  }
  TENSORTAP_AVX512_INLINE static Wide wide(const std::byte* from) noexcept { return widened(from).wide(); }
};
template <>
struct Row<Half> : Row<float> {
  TENSORTAP_AVX512_INLINE static Row<float> widened(const std::byte* from) noexcept {
    Row<float> out;
    asm("vcvtph2ps {%1, %0|%0, %1}" : "=v"(out.x) : "m"(*reinterpret_cast<const Memory32*>(from)));
    return out;
  }
  TENSORTAP_AVX512_INLINE static Wide wide(const std::byte* from) noexcept { return widened(from).wide(); }
};

template <class Element>
TENSORTAP_AVX512_INLINE void add_squares(const std::byte* from, Wide& to) noexcept {
  const Wide x = Row<Element>::wide(from);
  to = {Row<Element>::add_square(x.low, to.low), Row<Element>::add_square(x.high, to.high)};
}

/// Prefetches for a read at `from`: far ahead to L2, which crosses pages in time, and near to L1.
/// Either one alone is slower on large tensors, and neither costs anything on small ones.
template <std::size_t far_ahead, std::size_t near_ahead, std::size_t size>
TENSORTAP_AVX512_INLINE void prefetch(const std::byte* from) noexcept {
#pragma GCC unroll 4
  for (std::size_t line = 0; line < size; line += 64) {
    __builtin_prefetch(from + line + far_ahead, 0, 2);
    __builtin_prefetch(from + line + near_ahead, 0, 3);
  }
}

/// The 16 lanes of a block in registers.
template <class In, unsigned parts>
struct Lanes {
  Wide sum, abs_sum, squares_;
  Row<In> lowest, highest, nearest, guard;

  TENSORTAP_AVX512_INLINE void begin(In start) noexcept {
    const F64x8 zero = rounded(F64x8{});  // 0 + -0 is 0, also under -ffast-math
    sum = abs_sum = squares_ = {zero, zero};
    lowest = highest = Row<In>::splat(start);
    nearest = lowest.magnitude();
    guard = Row<In>::splat(0);
  }

  TENSORTAP_AVX512_INLINE void add(const Row<In>& x, const Wide& wide) noexcept {
    if constexpr ((parts & extremes) != 0) {
      const Row<In> size = x.magnitude();
      lowest.take_min(x);
      highest.take_max(x);
      nearest.take_min(size);
      if constexpr (parts == extremes) guard.add(size);
    }
    if constexpr ((parts & sums) != 0) {
      sum = {rounded(sum.low + wide.low), rounded(sum.high + wide.high)};
      abs_sum = {rounded(abs_sum.low + magnitude(wide.low)), rounded(abs_sum.high + magnitude(wide.high))};
    }
    if constexpr ((parts & squares) != 0)
      squares_ = {Row<In>::add_square(wide.low, squares_.low), Row<In>::add_square(wide.high, squares_.high)};
  }

  TENSORTAP_AVX512_INLINE void fold(std::size_t count, BlockTotals<In>& out) const noexcept {
    if constexpr ((parts & extremes) != 0) {
      LaneTotals<In, extremes> stored;
      __builtin_memcpy(stored.min, &lowest, sizeof lowest);
      __builtin_memcpy(stored.max, &highest, sizeof highest);
      __builtin_memcpy(stored.abs_min, &nearest, sizeof nearest);
      __builtin_memcpy(stored.guard, &guard, sizeof guard);
      stored.fold(count, out);
    }
    if constexpr ((parts & squares) != 0) {
      out.sum_squares = add_lanes(squares_);
      out.all_finite = is_finite(out.sum_squares);
    }
    if constexpr ((parts & sums) != 0) {
      out.sum = add_lanes(sum);
      out.abs_sum = add_lanes(abs_sum);
      out.all_finite = is_finite(out.abs_sum);
    }
  }
};

template <class In, unsigned parts>
TENSORTAP_AVX512 void totals(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  Lanes<In, parts> lanes;
  lanes.begin(start);
  const std::byte* from = elements;
#pragma GCC unroll 4
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) {
    prefetch<16384, 1024, row_bytes>(from);
    lanes.add(Row<In>::at(from), Row<In>::wide(from));
  }
  if (const std::size_t rest = count % lane_count; rest > 0) {
    const Row<In> zeros = Row<In>::splat(0);
    lanes.add(Row<In>::at(from, rest, Row<In>::splat(start)), Row<In>::at(from, rest, zeros).wide());
  }
  lanes.fold(count, out);
}

// The next kernels read several blocks with alternating rows. Within one block, each row waits for the sums of the row
// before, and reads wait for the next page of memory.

/// Finds everything of two full blocks that begin `apart` bytes from each other. Speed, compared with one block: 29
/// instead of 22 GB/s in the L2 cache, 11.2 instead of 9.7 GB/s from memory; a plain read reaches 10.1 in one place,
/// 13.3 in four.
template <class In>
TENSORTAP_AVX512 void everything_of_two(const std::byte* elements, std::size_t apart,
                                        BlockTotals<In> (&out)[2]) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  Lanes<In, everything> a, b;
  a.begin(load<In>(elements));
  b.begin(load<In>(elements + apart));
  const std::byte* from = elements;
  for (std::size_t rows = block_size / lane_count; rows > 0; --rows, from += row_bytes) {
    prefetch<4096, 1024, row_bytes>(from);
    prefetch<4096, 1024, row_bytes>(from + apart);
    a.add(Row<In>::at(from), Row<In>::wide(from));
    b.add(Row<In>::at(from + apart), Row<In>::wide(from + apart));
  }
  a.fold(block_size, out[0]);
  b.fold(block_size, out[1]);
}

/// Finds the sums of squares of two full blocks. The fastest kernel in the L2 cache.
template <class Element>
TENSORTAP_AVX512 void squares_of_two(const std::byte* elements, std::size_t apart, double* out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  Wide a{}, b{};
  const std::byte* from = elements;
#pragma GCC unroll 2
  for (std::size_t rows = block_size / lane_count; rows > 0; --rows, from += row_bytes) {
    __builtin_prefetch(from + 1024, 0, 3);
    __builtin_prefetch(from + apart + 1024, 0, 3);
    add_squares<Element>(from, a);
    add_squares<Element>(from + apart, b);
  }
  out[0] = add_lanes(a);
  out[1] = add_lanes(b);
}

/// Finds the sums of squares of four full blocks: 14.9 instead of 13.8 GB/s from memory; a plain read reaches 15.5.
template <class Element>
TENSORTAP_AVX512 void squares_of_four(const std::byte* elements, std::size_t apart, double* out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  constexpr std::size_t step = row_bytes < 64 ? 64 : row_bytes;
  Wide a{}, b{}, c{}, d{};
  const std::byte* from = elements;
  for (std::size_t bytes = block_size * sizeof(Element); bytes > 0; bytes -= step) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) prefetch<2048, 512, step>(from + k * apart);
#pragma GCC unroll 2
    for (std::size_t row = 0; row < step / row_bytes; ++row, from += row_bytes) {
      add_squares<Element>(from, a);
      add_squares<Element>(from + apart, b);
      add_squares<Element>(from + 2 * apart, c);
      add_squares<Element>(from + 3 * apart, d);
    }
  }
  out[0] = add_lanes(a);
  out[1] = add_lanes(b);
  out[2] = add_lanes(c);
  out[3] = add_lanes(d);
}

template <class In>
TENSORTAP_AVX512 Deviations deviations(const std::byte* elements, std::size_t count, double center,
                                       bool absolute) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  const I64x8 kept = I64x8{} + (absolute ? 0x7fffffffffffffff : -1);
  Wide sum{}, squares_{};
  const auto* from = elements;
#pragma GCC unroll 4
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) {
    const Wide x = Row<In>::wide(from);
    const F64x8 low = rounded(__builtin_bit_cast(F64x8, __builtin_bit_cast(I64x8, x.low) & kept) - center);
    const F64x8 high = rounded(__builtin_bit_cast(F64x8, __builtin_bit_cast(I64x8, x.high) & kept) - center);
    sum = {rounded(sum.low + low), rounded(sum.high + high)};
    squares_ = {rounded(squares_.low + rounded(low * low)), rounded(squares_.high + rounded(high * high))};
  }
  alignas(64) double sums_by_lane[lane_count];
  alignas(64) double squares_by_lane[lane_count];
  __builtin_memcpy(sums_by_lane, &sum, sizeof sum);
  __builtin_memcpy(squares_by_lane, &squares_, sizeof squares_);
  for (std::size_t j = 0; j < count % lane_count; ++j) {
    const auto x = static_cast<double>(load<In>(from + j * sizeof(In)));
    const double d =
        detail::rounded(__builtin_bit_cast(double, __builtin_bit_cast(std::int64_t, x) & kept[0]) - center);
    sums_by_lane[j] = detail::rounded(sums_by_lane[j] + d);
    squares_by_lane[j] = detail::rounded(squares_by_lane[j] + detail::rounded(d * d));
  }
  return {detail::add_lanes(sums_by_lane, lane_count), detail::add_lanes(squares_by_lane, lane_count)};
}

template <class In>
TENSORTAP_AVX512 void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  constexpr std::int64_t one = 0x3ff0000000000000;
  constexpr std::int64_t exponent_mask = 0x7ff0000000000000;
  F64x8 mantissa[2] = {F64x8{} + 1, F64x8{} + 1};
  I64x8 exponent[2] = {};
  I64x8 odd = {};
  for (std::size_t r = 0; r < rows; ++r) {
    const Wide wide = Row<In>::wide(elements + r * lane_count * sizeof(In));
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const auto bits = __builtin_bit_cast(I64x8, half == 0 ? wide.low : wide.high);
      const I64x8 biased = (bits >> 52) & 0x7ff;
      mantissa[half] = rounded(mantissa[half] * __builtin_bit_cast(F64x8, (bits & ~exponent_mask) | one));
      exponent[half] += biased;
      odd |= ((biased + 1) & 0x7fe) == 0;  // 0 for zeros and subnormals, 0x7ff for NaN and infinities
    }
  }
  __builtin_memcpy(out.mantissa, mantissa, sizeof mantissa);
  __builtin_memcpy(out.exponent, exponent, sizeof exponent);
  out.odd = false;
  for (std::size_t j = 0; j < 8; ++j) out.odd = out.odd || odd[j] != 0;
}

/// Widens bfloat16 or binary16 to float. The elements come from memory, so this loop prefetches.
template <class Element>
TENSORTAP_AVX512 void widen(const std::byte* from, std::size_t count, float* to) noexcept {
  std::size_t i = 0;
  for (; i + lane_count <= count; i += lane_count) {
    __builtin_prefetch(from + 2 * i + 2 * block_size, 0, 2);
    const Row<float> row = Row<Element>::widened(from + 2 * i);
    __builtin_memcpy(to + i, &row.x, sizeof row.x);
  }
  convert_elements<Element>(from + 2 * i, count - i, to + i);
}

}  // namespace detail::avx512
TENSORTAP_END_NAMESPACE

#undef TENSORTAP_AVX512_INLINE
#undef TENSORTAP_AVX512

#endif
