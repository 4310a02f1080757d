// The kernels in AVX-512: a row of 32 elements at a time. Products of two float32 are exact in float64, so that fused
// multiply-adds have the bits of a product and a sum.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/rows_avx512.hpp>
#include <tensortap/tensor/dtype.hpp>

#if defined(__x86_64__)

TENSORTAP_BEGIN_NAMESPACE
namespace detail::avx512 {

/// The lanes of a block in registers.
template <class Element, unsigned parts>
struct Lanes {
  using In = Computed<Element>;
  using E = Elements<Element>;
  static constexpr bool even_and_odd = E::even_and_odd;
  Row sum, abs_sum, squares_;
  Extremes<Element> extremes_;

  TENSORTAP_AVX512_INLINE void begin(In start) noexcept {
    const F64x8 zero = rounded(F64x8{});  // 0 + -0 is 0, also under -ffast-math
    sum = abs_sum = squares_ = {zero, zero, zero, zero};
    extremes_.begin(start);
  }

  /// Adds a row. 16-bit floats are widened to float32 once, for sums and extremes.
  TENSORTAP_AVX512_INLINE void add(const std::byte* from) noexcept {
    if constexpr ((parts & extremes) == 0) {
      add_sums(E::row(from));
    } else if constexpr (sizeof(Element) == 4) {
      add_extremes(E::values(from));
      add_sums(E::row(from));
    } else {
      const auto x = E::values(from);
      add_extremes(x);
      add_sums(E::row(x));
    }
  }

  TENSORTAP_AVX512_INLINE void add_sums(const Row& x) noexcept {
    if constexpr ((parts & sums) != 0) {
      const F64x8 one = rounded(F64x8{} + 1.0);
      sum = {add_by_fma(x.a, sum.a, one), add_by_fma(x.b, sum.b, one), add_by_fma(x.c, sum.c, one),
             add_by_fma(x.d, sum.d, one)};
      abs_sum = {rounded(abs_sum.a + magnitude(x.a)), rounded(abs_sum.b + magnitude(x.b)),
                 rounded(abs_sum.c + magnitude(x.c)), rounded(abs_sum.d + magnitude(x.d))};
    }
    if constexpr ((parts & squares) != 0) add_squares<E>(x, squares_);
  }

  template <class Vectors>
  TENSORTAP_AVX512_INLINE void add_extremes(const Vectors& x) noexcept {
    extremes_.template add<parts == extremes>(x);
  }

  TENSORTAP_AVX512_INLINE void fold(BlockTotals<In>& out) noexcept {
    if constexpr ((parts & extremes) != 0) {
      extremes_.join();
      out.min = lowest_of(extremes_.low_0);
      out.max = -lowest_of(-extremes_.high_0);
      out.abs_min = lowest_of(extremes_.near_0);
      out.all_finite = true;
      if constexpr (parts == extremes) {  // the guard is 0, or NaN
        In guard[sizeof extremes_.guard / sizeof(In)];
        __builtin_memcpy(guard, &extremes_.guard, sizeof guard);
        for (const In lane : guard) out.all_finite = out.all_finite && is_finite(lane);
      }
    }
    if constexpr ((parts & squares) != 0) {
      out.sum_squares = add_lanes<even_and_odd>(squares_);
      out.all_finite = is_finite(out.sum_squares);
    }
    if constexpr ((parts & sums) != 0) {
      out.sum = add_lanes<even_and_odd>(sum);
      out.abs_sum = add_lanes<even_and_odd>(abs_sum);
      out.all_finite = is_finite(out.abs_sum);
    }
  }
};

template <class Element, unsigned parts, bool prefetching>
TENSORTAP_AVX512 void totals(const std::byte* elements, std::size_t count, Computed<Element> start,
                             BlockTotals<Computed<Element>>& out) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  Lanes<Element, parts> lanes;
  lanes.begin(start);
  const std::byte* from = elements;
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) {
    if constexpr (prefetching) prefetch<16384, row_bytes>(from);
    lanes.add(from);
  }
  if (const std::size_t rest = count % lane_count; rest > 0) {
    alignas(64) std::byte last[row_bytes];
    copy_last<Element>(from, rest, nullptr, last);
    lanes.add_sums(Elements<Element>::row(last));
    if constexpr ((parts & extremes) != 0) {
      copy_last<Element>(from, rest, elements, last);
      lanes.add_extremes(Elements<Element>::values(last));
    }
  }
  lanes.fold(out);
}

template <class Element>
TENSORTAP_AVX512 double squares_of(const std::byte* from, std::size_t count) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  using E = Elements<Element>;
  Row found{};
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) add_squares<E>(E::row(from), found);
  if (const std::size_t rest = count % lane_count; rest > 0) {
    alignas(64) std::byte last[row_bytes];
    copy_last<Element>(from, rest, nullptr, last);
    add_squares<E>(E::row(last), found);
  }
  return add_lanes<E::even_and_odd>(found);
}

/// Finds the sums of squares of four full blocks that begin `apart` bytes from each other, with alternating rows:
/// within one block, reads wait for the next page of memory.
template <class Element>
TENSORTAP_AVX512 void squares_of_four(const std::byte* from, std::size_t apart, double* out) noexcept {
  using E = Elements<Element>;
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  Row a{}, b{}, c{}, d{};
  for (std::size_t rows = block_size / lane_count; rows > 0; --rows, from += row_bytes) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) prefetch<2048, row_bytes>(from + k * apart);
    add_squares<E>(E::row(from), a);
    add_squares<E>(E::row(from + apart), b);
    add_squares<E>(E::row(from + 2 * apart), c);
    add_squares<E>(E::row(from + 3 * apart), d);
  }
  constexpr bool even_and_odd = E::even_and_odd;
  out[0] = add_lanes<even_and_odd>(a);
  out[1] = add_lanes<even_and_odd>(b);
  out[2] = add_lanes<even_and_odd>(c);
  out[3] = add_lanes<even_and_odd>(d);
}

TENSORTAP_AVX512_INLINE F64x8 deviation(F64x8 x, I64x8 kept_bits, double center) noexcept {
  return rounded(__builtin_bit_cast(F64x8, __builtin_bit_cast(I64x8, x) & kept_bits) - center);
}

template <class In>
TENSORTAP_AVX512 Deviations deviations(const std::byte* elements, std::size_t count, double center,
                                       bool absolute) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  const I64x8 kept = I64x8{} + (absolute ? 0x7fffffffffffffff : -1);
  Row sum{}, squares_{};
  const auto* from = elements;
  for (std::size_t rows = count / lane_count; rows > 0; --rows, from += row_bytes) {
    const Row x = Elements<In>::row(from);
    const Row d = {deviation(x.a, kept, center), deviation(x.b, kept, center), deviation(x.c, kept, center),
                   deviation(x.d, kept, center)};
    sum = {rounded(sum.a + d.a), rounded(sum.b + d.b), rounded(sum.c + d.c), rounded(sum.d + d.d)};
    squares_ = {rounded(squares_.a + rounded(d.a * d.a)), rounded(squares_.b + rounded(d.b * d.b)),
                rounded(squares_.c + rounded(d.c * d.c)), rounded(squares_.d + rounded(d.d * d.d))};
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

/// The products of eight lanes: mantissa * 2^(exponent - 1023 * factors).
struct EightProducts {
  F64x8 mantissa;
  I64x8 exponent;

  /// Moves the exponent out of the mantissa after `factors` factors. Notes zero, subnormals, infinity and NaN.
  TENSORTAP_AVX512_INLINE void split(std::int64_t factors, I64x8& odd) noexcept {
    const auto bits = __builtin_bit_cast(I64x8, mantissa);
    const I64x8 biased = (bits >> 52) & 0x7ff;
    odd |= ((biased + 1) & 0x7fe) == 0;
    exponent += biased + 1023 * (factors - 1);
    mantissa = __builtin_bit_cast(F64x8, (bits & ~0x7ff0000000000000) | 0x3ff0000000000000);
  }
  /// Multiplies by a factor that is split first.
  TENSORTAP_AVX512_INLINE void multiply(F64x8 x, I64x8& odd) noexcept {
    EightProducts factor{x, exponent};
    factor.split(1, odd);
    *this = {rounded(mantissa * factor.mantissa), factor.exponent};
  }
};

/// Returns bits of which some in `product_limits` are set if a magnitude is not in [2^-63, 2^65).
TENSORTAP_AVX512_INLINE I64x8 beyond_limits(F64x8 x) noexcept { return __builtin_bit_cast(I64x8, x) - lowest_exponent; }

/// Multiplies groups of rows, and splits the products after each group: six float32 cannot leave the range of float64,
/// nor can twelve float64 whose magnitudes are in [2^-63, 2^65), and within the range a product has the bits of that of
/// the mantissas. `split_each`: splits each factor instead. Returns whether all float64 are in the interval.
template <class In, bool split_each>
TENSORTAP_AVX512_INLINE bool multiply_rows(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  constexpr std::size_t group = sizeof(In) == 4 ? 6 : 12;
  const F64x8 ones = F64x8{} + 1.0;
  EightProducts a{ones, {}}, b = a, c = a, d = a;
  I64x8 odd{};
  I64x8 outside{};
  for (std::size_t now; rows > 0; rows -= now) {
    now = rows < group ? rows : group;
    for (std::size_t r = 0; r < now; ++r, elements += lane_count * sizeof(In)) {
      Row x;
      if constexpr (sizeof(In) == 8)
        x = Elements<In>::values(elements);
      else
        x = Elements<In>::row(elements);
      if constexpr (split_each) {
        a.multiply(x.a, odd), b.multiply(x.b, odd), c.multiply(x.c, odd), d.multiply(x.d, odd);
        continue;
      }
      a.mantissa = rounded(a.mantissa * x.a);
      b.mantissa = rounded(b.mantissa * x.b);
      c.mantissa = rounded(c.mantissa * x.c);
      d.mantissa = rounded(d.mantissa * x.d);
      if constexpr (sizeof(In) == 8) {
        outside |= beyond_limits(x.a) | beyond_limits(x.b) | beyond_limits(x.c) | beyond_limits(x.d);
      }
    }
    if constexpr (!split_each) {
      const auto factors = static_cast<std::int64_t>(now);
      a.split(factors, odd), b.split(factors, odd), c.split(factors, odd), d.split(factors, odd);
    }
  }
  const EightProducts found[] = {a, b, c, d};
  for (std::size_t k = 0; k < 4; ++k) {
    __builtin_memcpy(out.mantissa + 8 * k, &found[k].mantissa, sizeof found[k].mantissa);
    __builtin_memcpy(out.exponent + 8 * k, &found[k].exponent, sizeof found[k].exponent);
  }
  std::int64_t any_odd = 0, any_outside = 0;
  for (std::size_t j = 0; j < 8; ++j) any_odd |= odd[j], any_outside |= outside[j];
  out.odd = any_odd != 0;
  return (any_outside & product_limits) == 0;
}

template <class In>
TENSORTAP_AVX512 void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  if (!multiply_rows<In, false>(elements, rows, out)) multiply_rows<In, true>(elements, rows, out);
}

/// Widens bfloat16 or binary16 to float. The elements come from memory, so this loop prefetches.
template <class Element>
TENSORTAP_AVX512 void widen(const std::byte* from, std::size_t count, float* to) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    __builtin_prefetch(from + 2 * i + 2 * block_size, 0, 2);
    F32x16 x;
    if constexpr (std::same_as<Element, Half>) {
      x = Elements<Half>::sixteen(from + 2 * i);
    } else {
      I32x16 bits;
      asm("vpmovzxwd {%1, %0|%0, %1}" : "=v"(bits) : "m"(*reinterpret_cast<const Memory32*>(from + 2 * i)));
      x = __builtin_bit_cast(F32x16, bits << 16);
    }
    __builtin_memcpy(to + i, &x, sizeof x);
  }
  convert_elements<Element>(from + 2 * i, count - i, to + i);
}

}  // namespace detail::avx512
TENSORTAP_END_NAMESPACE

#undef TENSORTAP_AVX512_INLINE
#undef TENSORTAP_AVX512

#endif
