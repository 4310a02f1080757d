// The kernel of difference(): a loop over a block of pairs, in vectors of 16 bytes that any compiler lowers. Its sums
// have the shape of those in lanes.hpp.
//
//   PairLanes lanes;
//   add_pairs<float, false>(x, y, 4096, {.absolute = 1e-8, .relative = 1e-5}, lanes);
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A pair is close if abs(x - y) <= absolute + relative * abs(y).
struct Tolerance {
  double absolute, relative;
};

/// Sums over pairs, by lanes.
struct PairLanes {
  alignas(16) double squared_differences[lane_count] = {};
  alignas(16) double x_squares[lane_count] = {};
  alignas(16) double y_squares[lane_count] = {};
  alignas(16) double products[lane_count] = {};
  alignas(16) double largest[lane_count] = {};  ///< magnitude of a difference
  alignas(16) std::int64_t close[lane_count] = {};
};

/// Two lanes of sums in registers.
struct PairSums {
  F64x2 squared_differences, x_squares, y_squares, products, largest;
  I64x2 close;

  [[gnu::always_inline]] PairSums(const PairLanes& lanes, std::size_t j) noexcept {
    std::memcpy(&squared_differences, lanes.squared_differences + j, 16);
    std::memcpy(&x_squares, lanes.x_squares + j, 16);
    std::memcpy(&y_squares, lanes.y_squares + j, 16);
    std::memcpy(&products, lanes.products + j, 16);
    std::memcpy(&largest, lanes.largest + j, 16);
    std::memcpy(&close, lanes.close + j, 16);
    pin(products);  // 0 + -0 is 0, also under -ffast-math
  }

  [[gnu::always_inline]] void store(PairLanes& lanes, std::size_t j) const noexcept {
    std::memcpy(lanes.squared_differences + j, &squared_differences, 16);
    std::memcpy(lanes.x_squares + j, &x_squares, 16);
    std::memcpy(lanes.y_squares + j, &y_squares, 16);
    std::memcpy(lanes.products + j, &products, 16);
    std::memcpy(lanes.largest + j, &largest, 16);
    std::memcpy(lanes.close + j, &close, 16);
  }

  [[gnu::always_inline]] void add(F64x2 x, F64x2 y, const Tolerance& tolerance) noexcept {
    const F64x2 difference = rounded(x - y);
    const F64x2 distance = magnitude(difference);
    squared_differences = rounded(squared_differences + rounded(difference * difference));
    x_squares = rounded(x_squares + rounded(x * x));
    y_squares = rounded(y_squares + rounded(y * y));
    products = rounded(products + rounded(x * y));
    largest = distance > largest ? distance : largest;
    const F64x2 allowed = rounded(rounded(magnitude(y) * tolerance.relative) + tolerance.absolute);
    close -= distance <= allowed;
  }
};

/// Adds `rows` full rows of pairs. `masked`: a pair that is not finite counts as two zeros.
template <class In, bool masked>
void add_rows(const std::byte* x, const std::byte* y, std::size_t rows, const Tolerance& tolerance,
              PairLanes& lanes) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  constexpr std::size_t chunk = 32;  // rows of x and y that stay in the L1 cache while all their lanes are read
  constexpr std::size_t ahead = block_size * sizeof(In);  // prefetch distance to L2: 2.0 -> 1.2 ns a pair of float64
  const auto add = [&](PairSums& sums, F64x2 a, F64x2 b) {
    if constexpr (masked) {
      const I64x2 finite = finite_mask(a) & finite_mask(b);
      a = std::bit_cast<F64x2>(std::bit_cast<I64x2>(a) & finite);
      b = std::bit_cast<F64x2>(std::bit_cast<I64x2>(b) & finite);
    }
    sums.add(a, b, tolerance);
  };
  for (; rows > 0; rows -= std::min(rows, chunk), x += chunk * row_bytes, y += chunk * row_bytes) {
    for (std::size_t lane = 0; lane < lane_count; lane += 4) {
      PairSums low(lanes, lane);
      PairSums high(lanes, lane + 2);
      std::size_t offset = lane * sizeof(In);
      for (std::size_t r = 0; r < std::min(rows, chunk); ++r, offset += row_bytes) {
        const std::size_t next = ahead + (lane * chunk + 4 * r) * sizeof(In);
        __builtin_prefetch(x + next, 0, 2);
        __builtin_prefetch(y + next, 0, 2);
        const Four<In> a = Four<In>::at(x + offset);
        const Four<In> b = Four<In>::at(y + offset);
        add(low, a.low(), b.low());
        add(high, a.high(), b.high());
      }
      low.store(lanes, lane);
      high.store(lanes, lane + 2);
    }
  }
}

/// Adds `count` pairs. Lanes without a pair in the last row get two zeros, which are close and change nothing else.
template <class In, bool masked>
void add_pairs(const std::byte* x, const std::byte* y, std::size_t count, const Tolerance& tolerance,
               PairLanes& lanes) noexcept {
  const std::size_t rows = count / lane_count;
  add_rows<In, masked>(x, y, rows, tolerance, lanes);
  const std::size_t rest = count % lane_count;
  if (rest == 0) return;
  alignas(64) std::byte last_x[lane_count * sizeof(In)] = {};
  alignas(64) std::byte last_y[lane_count * sizeof(In)] = {};
  std::memcpy(last_x, x + rows * sizeof last_x, rest * sizeof(In));
  std::memcpy(last_y, y + rows * sizeof last_y, rest * sizeof(In));
  add_rows<In, masked>(last_x, last_y, 1, tolerance, lanes);
  for (std::size_t j = rest; j < lane_count; ++j) --lanes.close[j];
}

/// Returns the index of the first pair of finite elements with this distance; the block's size if there is none.
template <class In>
std::size_t find_distance(const std::byte* x, const std::byte* y, std::size_t count, double distance) noexcept {
  const auto is_here = [&](std::size_t i) {
    const In a = load<In>(x + i * sizeof(In));
    const In b = load<In>(y + i * sizeof(In));
    const double difference = rounded(static_cast<double>(a) - static_cast<double>(b));
    return is_finite(a) && is_finite(b) && (bits_of(difference) & ~sign_bit<double>) == bits_of(distance);
  };
  const auto four_are_nearer = [&](std::size_t i) {
    const Four<In> a = Four<In>::at(x + i * sizeof(In));
    const Four<In> b = Four<In>::at(y + i * sizeof(In));
    const F64x2 limit = {distance, distance};
    const I64x2 nearer = (magnitude(rounded(a.low() - b.low())) < limit) &  //
                         (magnitude(rounded(a.high() - b.high())) < limit);
    return (nearer[0] & nearer[1]) != 0;
  };
  for (std::size_t i = 0; i < count;) {
    const std::size_t end = std::min(i + 4, count);
    if (end == i + 4 && four_are_nearer(i)) {
      i = end;
      continue;
    }
    for (; i < end; ++i)
      if (is_here(i)) return i;
  }
  return count;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
