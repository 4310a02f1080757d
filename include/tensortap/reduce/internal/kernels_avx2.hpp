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
#include <tensortap/reduce/internal/rows_avx2.hpp>
#include <tensortap/tensor/dtype.hpp>

#if defined(__x86_64__)

TENSORTAP_BEGIN_NAMESPACE
namespace detail::avx2 {

/// Finds the totals of a block. `prefetching`: fetches the next block to the L2 cache meanwhile.
template <class Element, unsigned parts, bool prefetching>
TENSORTAP_AVX2 void totals(const std::byte* elements, std::size_t count, Computed<Element> start,
                           BlockTotals<Computed<Element>>& out) noexcept {
  using In = Computed<Element>;
  using Lanes = LaneTotals<In, parts>;
  constexpr std::size_t row_bytes = lane_count * sizeof(Element);
  constexpr std::size_t chunk = 8;  // rows that are read before the next ones, so that memory is read in order
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
            if constexpr (Lanes::with_guard) guard.add_up(size);
          }
        }
        if constexpr (Lanes::with_sums) {
          sum_low = Eight<In>::add(wide.low, sum_low, one);
          sum_high = Eight<In>::add(wide.high, sum_high, one);
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
  template <bool even_and_odd>
  [[nodiscard]] TENSORTAP_AVX2_INLINE double total() const noexcept {
    const F64x4 first = rounded(rounded(a + e) + rounded(c + g));
    const F64x4 second = rounded(rounded(b + f) + rounded(d + h));
    if constexpr (even_and_odd) {
      const F64x2 even = two_of(first), odd = two_of(second);
      return detail::rounded(detail::rounded(even[0] + even[1]) + detail::rounded(odd[0] + odd[1]));
    } else {
      const F64x2 two = two_of(rounded(first + second));
      return detail::rounded(two[0] + two[1]);
    }
  }

 private:
  TENSORTAP_AVX2_INLINE static F64x2 two_of(F64x4 four) noexcept {
    return rounded(TENSORTAP_VECTOR_PART(F64x2, four, 0, 0, 1) + TENSORTAP_VECTOR_PART(F64x2, four, 1, 2, 3));
  }
};

/// Copies the last elements of a block, less than a row, to a row of memory that holds 0 behind them.
template <class Element>
TENSORTAP_AVX2_INLINE void copy_last(const std::byte* from, std::size_t count, std::byte* to) noexcept {
  if constexpr (sizeof(Element) == 2) {
    std::memset(to, 0, lane_count * sizeof(Element));
    std::memcpy(to, from, count * sizeof(Element));
  } else {  // a masked load: memory written in pieces is slow to read at once
    const I32x8 words = I32x8{0, 1, 2, 3, 4, 5, 6, 7} - static_cast<std::int32_t>(count * sizeof(Element) / 4);
#pragma GCC unroll 8
    for (std::size_t at = 0; at < lane_count * sizeof(Element); at += 32) {
      const I32x8 mask = words + static_cast<std::int32_t>(at / 4) < 0;
      F32x8 x;
      asm("vmaskmovps {%1, %2, %0|%0, %2, %1}"
          : "=x"(x)
          : "m"(*reinterpret_cast<const Memory32*>(from + at)), "x"(mask));
      __builtin_memcpy(to + at, &x, sizeof x);
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
  return found.total<Eight<Element>::even_and_odd>();
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

/// The products of four lanes, as in AVX-512.
struct FourProducts {
  F64x4 mantissa;
  I64x4 exponent;

  TENSORTAP_AVX2_INLINE void split(std::int64_t factors, I64x4& odd) noexcept {
    const auto bits = __builtin_bit_cast(I64x4, mantissa);
    const auto biased = __builtin_bit_cast(I64x4, (__builtin_bit_cast(U64x4, bits) << 1) >> 53);
    odd |= ((biased + 1) & 0x7fe) == 0;
    exponent += biased + 1023 * (factors - 1);
    mantissa = __builtin_bit_cast(F64x4, (bits & ~0x7ff0000000000000) | 0x3ff0000000000000);
  }
  TENSORTAP_AVX2_INLINE void multiply(F64x4 x, I64x4& odd) noexcept {
    FourProducts factor{x, exponent};
    factor.split(1, odd);
    *this = {rounded(mantissa * factor.mantissa), factor.exponent};
  }
};

TENSORTAP_AVX2_INLINE I64x4 beyond_limits(F64x4 x) noexcept { return __builtin_bit_cast(I64x4, x) - lowest_exponent; }

/// Multiplies groups of rows, as in AVX-512, 16 lanes at a time.
template <class In, bool split_each>
TENSORTAP_AVX2_INLINE bool multiply_rows(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  constexpr std::size_t group = sizeof(In) == 4 ? 6 : 12;
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  const F64x4 ones = F64x4{} + 1.0;
  I64x4 odd{};
  I64x4 outside{};
  for (std::size_t lane = 0; lane < lane_count; lane += 16) {
    const std::byte* from = elements + lane * sizeof(In);
    FourProducts a{ones, {}}, b = a, c = a, d = a;
    for (std::size_t left = rows, now; left > 0; left -= now) {
      now = left < group ? left : group;
      for (std::size_t r = 0; r < now; ++r, from += row_bytes) {
        Wide x = Eight<In>::wide(from), y = Eight<In>::wide(from + row_bytes / 4);
        x = {rounded(x.low), rounded(x.high)};  // else g++ 12 reads the memory twice
        y = {rounded(y.low), rounded(y.high)};
        if constexpr (split_each) {
          a.multiply(x.low, odd), b.multiply(x.high, odd), c.multiply(y.low, odd), d.multiply(y.high, odd);
          continue;
        }
        a.mantissa = rounded(a.mantissa * x.low);
        b.mantissa = rounded(b.mantissa * x.high);
        c.mantissa = rounded(c.mantissa * y.low);
        d.mantissa = rounded(d.mantissa * y.high);
        if constexpr (sizeof(In) == 8) {
          outside |= beyond_limits(x.low) | beyond_limits(x.high) | beyond_limits(y.low) | beyond_limits(y.high);
        }
      }
      if constexpr (!split_each) {
        const auto factors = static_cast<std::int64_t>(now);
        a.split(factors, odd), b.split(factors, odd), c.split(factors, odd), d.split(factors, odd);
      }
    }
    const FourProducts found[] = {a, b, c, d};
    for (std::size_t k = 0; k < 4; ++k) {
      __builtin_memcpy(out.mantissa + lane + 4 * k, &found[k].mantissa, sizeof found[k].mantissa);
      __builtin_memcpy(out.exponent + lane + 4 * k, &found[k].exponent, sizeof found[k].exponent);
    }
  }
  out.odd = (odd[0] | odd[1] | odd[2] | odd[3]) != 0;
  return ((outside[0] | outside[1] | outside[2] | outside[3]) & product_limits) == 0;
}

template <class In>
TENSORTAP_AVX2 void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  if (!multiply_rows<In, false>(elements, rows, out)) multiply_rows<In, true>(elements, rows, out);
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
