// The kernels of the statistics of units. A group is eight neighbouring lanes: eight columns of a matrix, or every
// eighth element of a channel. A kernel goes down the rows of a group with all its counts and sums in registers.
//
// As elsewhere, the fast loops count neither NaN nor infinities: if the sum of squares of a group is not finite, its
// rows are read again by the plain loop, which is the definition.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/rows_avx2.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::size_t group_lanes = 8;

/// The limits of UnitStatistics as numbers of type In: the same elements lie between them.
template <class In>
struct UnitLimits {
  In tanh_input, sigmoid_input, tanh_output, sigmoid_low, sigmoid_high;
};

/// Returns the smallest number that is not below `x`, which is above 0; or the largest one that is not above it.
template <class In>
constexpr In limit_of(double x, bool is_lower = false) noexcept {
  auto bits = std::bit_cast<BitsOf<In>>(static_cast<In>(x));
  if (!is_lower && static_cast<double>(std::bit_cast<In>(bits)) < x) ++bits;
  if (is_lower && static_cast<double>(std::bit_cast<In>(bits)) > x) --bits;
  return std::bit_cast<In>(bits);
}

template <class In>
inline constexpr UnitLimits<In> unit_limits = {
    limit_of<In>(UnitStatistics::tanh_input), limit_of<In>(UnitStatistics::sigmoid_input),
    limit_of<In>(UnitStatistics::tanh_output), limit_of<In>(UnitStatistics::sigmoid_output_low, true),
    limit_of<In>(UnitStatistics::sigmoid_output_high)};

/// Counts and sums of the lanes of some groups.
template <class In>
struct UnitLanes {
  using Count = BitsOf<In>;
  static constexpr std::size_t size = 512;

  alignas(64) Count positive[size];
  alignas(64) Count zeros[size];
  alignas(64) Count tanh_input[size];
  alignas(64) Count sigmoid_input[size];
  alignas(64) Count tanh_output[size];
  alignas(64) Count sigmoid_output[size];
  alignas(64) Count nan[size];
  alignas(64) Count infinite[size];
  alignas(64) double squares[size];

  void clear(std::size_t count) noexcept {
    for (Count* counts : {positive, zeros, tanh_input, sigmoid_input, tanh_output, sigmoid_output, nan, infinite})
      std::memset(counts, 0, count * sizeof(Count));
    for (std::size_t i = 0; i < count; ++i) squares[i] = 0;
  }

  /// Counts `x` in `lane`. Returns it if it is finite, else 0.
  [[gnu::always_inline]] double count(In x, std::size_t lane) noexcept {
    constexpr UnitLimits<In> limits = unit_limits<In>;
    const BitsOf<In> bits = bits_of(x);
    const auto magnitude_bits = static_cast<BitsOf<In>>(bits & ~sign_bit<In>);
    if (magnitude_bits > infinity_bits<In>) {
      ++nan[lane];
      return 0;
    }
    positive[lane] += bits != 0 && bits == magnitude_bits ? 1 : 0;
    if (magnitude_bits == infinity_bits<In>) {
      ++infinite[lane];
      return 0;
    }
    const auto magnitude = std::bit_cast<In>(magnitude_bits);
    zeros[lane] += magnitude_bits == 0 ? 1 : 0;
    tanh_input[lane] += magnitude < limits.tanh_input ? 1 : 0;
    sigmoid_input[lane] += magnitude < limits.sigmoid_input ? 1 : 0;
    tanh_output[lane] += magnitude < limits.tanh_output ? 1 : 0;
    sigmoid_output[lane] += x > limits.sigmoid_low && x < limits.sigmoid_high ? 1 : 0;
    return static_cast<double>(x);
  }
};

/// Adds `rows` rows to the lanes of `groups` groups, the first of which begins at `lane`: lane j takes the elements at
/// from + r * row_bytes + j * sizeof(In). The squares of the rows are summed in order; the sum is added to the lane.
template <class In>
using AddGroups = void (*)(const std::byte* from, std::size_t row_bytes, std::size_t rows, std::size_t lane,
                           std::size_t groups, UnitLanes<In>& lanes) noexcept;

namespace portable {

template <class In>
void count_lanes(const std::byte* from, std::size_t row_bytes, std::size_t rows, std::size_t lane, std::size_t count,
                 UnitLanes<In>& lanes) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    double sum = rounded(0.0);
    for (std::size_t r = 0; r < rows; ++r) {
      const double x = lanes.count(load<In>(from + r * row_bytes + i * sizeof(In)), lane + i);
      sum = rounded(sum + rounded(x * x));
    }
    lanes.squares[lane + i] = rounded(lanes.squares[lane + i] + sum);
  }
}

template <class In>
void add_groups(const std::byte* from, std::size_t row_bytes, std::size_t rows, std::size_t lane, std::size_t groups,
                UnitLanes<In>& lanes) noexcept {
  portable::count_lanes(from, row_bytes, rows, lane, groups * group_lanes, lanes);
}

}  // namespace portable

namespace vector16 {

template <class In>
void add_groups(const std::byte* from, std::size_t row_bytes, std::size_t rows, std::size_t lane, std::size_t groups,
                UnitLanes<In>& lanes) noexcept {
  using Floats [[gnu::vector_size(16)]] = In;
  using Int = std::make_signed_t<BitsOf<In>>;
  using Bits [[gnu::vector_size(16)]] = Int;
  constexpr std::size_t width = 16 / sizeof(In);
  constexpr UnitLimits<In> limits = unit_limits<In>;
  const auto add = [](const Bits& counts, BitsOf<In>* to) {
    Bits sum;
    std::memcpy(&sum, to, sizeof sum);
    sum += counts;
    std::memcpy(to, &sum, sizeof sum);
  };
  const auto add_sum = [](F64x2 sum, double* to) {
    sum = rounded(lanes_at(to) + sum);
    std::memcpy(to, &sum, sizeof sum);
  };
  for (std::size_t end = lane + groups * group_lanes; lane < end; lane += width, from += 16) {
    Bits positive{}, zeros{}, tanh_input{}, sigmoid_input{}, tanh_output{}, sigmoid_output{};
    F64x2 low{}, high{};
    const std::byte* at = from;
    for (std::size_t r = 0; r < rows; ++r, at += row_bytes) {
      const auto x = rounded(load<Floats>(at));
      const auto magnitude = std::bit_cast<Floats>(std::bit_cast<Bits>(x) & std::numeric_limits<Int>::max());
      positive -= static_cast<Bits>(x > Floats{});  // a comparison gives -1 where it is true
      zeros -= static_cast<Bits>(x == Floats{});
      tanh_input -= static_cast<Bits>(magnitude < limits.tanh_input);
      sigmoid_input -= static_cast<Bits>(magnitude < limits.sigmoid_input);
      tanh_output -= static_cast<Bits>(magnitude < limits.tanh_output);
      sigmoid_output -= static_cast<Bits>((x > limits.sigmoid_low) & (x < limits.sigmoid_high));
      if constexpr (sizeof(In) == 4) {
        const Four<float> four{x};
        const F64x2 x_low = four.low();
        const F64x2 x_high = four.high();
        low = rounded(low + rounded(x_low * x_low));
        high = rounded(high + rounded(x_high * x_high));
      } else {
        low = rounded(low + rounded(x * x));
      }
    }
    const I64x2 finite = finite_mask(low) & finite_mask(high);
    if ((finite[0] & finite[1]) == 0) {
      portable::count_lanes(from, row_bytes, rows, lane, width, lanes);
      continue;
    }
    add(positive, lanes.positive + lane);
    add(zeros, lanes.zeros + lane);
    add(tanh_input, lanes.tanh_input + lane);
    add(sigmoid_input, lanes.sigmoid_input + lane);
    add(tanh_output, lanes.tanh_output + lane);
    add(sigmoid_output, lanes.sigmoid_output + lane);
    add_sum(low, lanes.squares + lane);
    if constexpr (sizeof(In) == 4) add_sum(high, lanes.squares + lane + 2);
  }
}

}  // namespace vector16

#if defined(__x86_64__)
#define TENSORTAP_UNITS_AVX2 __attribute__((target("avx2,fma,f16c")))

namespace avx2 {

/// Adds eight or four counts to memory.
template <class Vector, class Count>
TENSORTAP_UNITS_AVX2 __attribute__((always_inline)) inline void add_counts(Vector counts, Count* to) noexcept {
  Vector sum;
  __builtin_memcpy(&sum, to, sizeof sum);
  sum += counts;
  __builtin_memcpy(to, &sum, sizeof sum);
}

template <class In>
TENSORTAP_UNITS_AVX2 void add_groups(const std::byte* from, std::size_t row_bytes, std::size_t rows, std::size_t lane,
                                     std::size_t groups, UnitLanes<In>& lanes) noexcept {
  using Floats [[gnu::vector_size(32)]] = In;
  using Int = std::make_signed_t<BitsOf<In>>;
  using Bits [[gnu::vector_size(32)]] = Int;
  constexpr std::size_t width = 32 / sizeof(In);
  constexpr UnitLimits<In> limits = unit_limits<In>;
  for (std::size_t end = lane + groups * group_lanes; lane < end; lane += width, from += 32) {
    Bits positive{}, zeros{}, tanh_input{}, sigmoid_input{}, tanh_output{}, sigmoid_output{};
    F64x4 low{}, high{};
    const std::byte* at = from;
#pragma GCC unroll 2
    for (std::size_t r = 0; r < rows; ++r, at += row_bytes) {
      Floats x;
      __builtin_memcpy(&x, at, sizeof x);
      const auto magnitude = __builtin_bit_cast(Floats, __builtin_bit_cast(Bits, x) & std::numeric_limits<Int>::max());
      positive -= static_cast<Bits>(x > Floats{});
      zeros -= static_cast<Bits>(x == Floats{});
      tanh_input -= static_cast<Bits>(magnitude < limits.tanh_input);
      sigmoid_input -= static_cast<Bits>(magnitude < limits.sigmoid_input);
      tanh_output -= static_cast<Bits>(magnitude < limits.tanh_output);
      sigmoid_output -= static_cast<Bits>((x > limits.sigmoid_low) & (x < limits.sigmoid_high));
      if constexpr (sizeof(In) == 4) {
        const Wide wide = Eight<float>::wide(at);
        low = Eight<float>::add_square(wide.low, low);
        high = Eight<float>::add_square(wide.high, high);
      } else {
        low = rounded(low + rounded(x * x));
      }
    }
    constexpr std::int64_t infinity = 0x7ff0000000000000;
    const auto odd = ((__builtin_bit_cast(I64x4, low) & infinity) == infinity) |
                     ((__builtin_bit_cast(I64x4, high) & infinity) == infinity);
    if ((odd[0] | odd[1] | odd[2] | odd[3]) != 0) {
      portable::count_lanes(from, row_bytes, rows, lane, width, lanes);
      continue;
    }
    add_counts(positive, lanes.positive + lane);
    add_counts(zeros, lanes.zeros + lane);
    add_counts(tanh_input, lanes.tanh_input + lane);
    add_counts(sigmoid_input, lanes.sigmoid_input + lane);
    add_counts(tanh_output, lanes.tanh_output + lane);
    add_counts(sigmoid_output, lanes.sigmoid_output + lane);
    store(rounded(lanes_at(lanes.squares + lane) + low), lanes.squares + lane);
    if constexpr (sizeof(In) == 4) store(rounded(lanes_at(lanes.squares + lane + 4) + high), lanes.squares + lane + 4);
  }
}

}  // namespace avx2

#undef TENSORTAP_UNITS_AVX2
#endif

/// Returns the kernel of an instruction set.
template <class In>
AddGroups<In> add_groups_of(Isa isa) noexcept {
  if (isa == Isa::portable) return portable::add_groups<In>;
#if defined(__x86_64__)
  if (isa >= Isa::avx2) return avx2::add_groups<In>;
#endif
  return vector16::add_groups<In>;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
