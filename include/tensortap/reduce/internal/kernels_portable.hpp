// The kernels as plain loops: the definition of what all kernels find, and the ones for a processor without vectors.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::portable {

/// Finds the totals of a block. `masked`: skips NaN and infinities.
template <class In, unsigned parts, bool masked>
void totals(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept {
  LaneTotals<In, parts> lanes;
  lanes.begin(start);
  for (std::size_t i = 0; i < count; ++i) {
    const In x = load<In>(elements + i * sizeof(In));
    if (!masked || is_finite(x)) lanes.add(x, i % lane_count);
  }
  lanes.fold(count, out);
}

template <class In>
double squares_of(const std::byte* elements, std::size_t count) noexcept {
  BlockTotals<In> found;
  totals<In, squares, false>(elements, count, In{}, found);
  return found.sum_squares;
}

template <class In, bool masked>
Deviations deviations(const std::byte* elements, std::size_t count, double center, bool absolute) noexcept {
  alignas(64) double sum[lane_count]{};
  alignas(64) double sum_squares[lane_count]{};
  const std::uint64_t kept = absolute ? ~sign_bit<double> : ~std::uint64_t{0};
  for (std::size_t i = 0; i < count; ++i) {
    const In x = load<In>(elements + i * sizeof(In));
    if (masked && !is_finite(x)) continue;
    const std::size_t j = i % lane_count;
    const double d =
        rounded(std::bit_cast<double>(std::bit_cast<std::uint64_t>(static_cast<double>(x)) & kept) - center);
    sum[j] = rounded(sum[j] + d);
    sum_squares[j] = rounded(sum_squares[j] + rounded(d * d));
  }
  return {add_lanes(sum, count), add_lanes(sum_squares, count)};
}

template <class In>
void products(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept {
  for (std::size_t j = 0; j < lane_count; ++j) {
    out.mantissa[j] = 1;
    out.exponent[j] = 0;
  }
  out.odd = false;
  for (std::size_t i = 0; i < rows * lane_count; ++i) {
    const auto x = static_cast<double>(load<In>(elements + i * sizeof(In)));
    const std::uint64_t bits = bits_of(x);
    const std::uint64_t biased = (bits >> 52) & 0x7ff;
    const double mantissa = number_of((bits & ~infinity_bits<double>) | std::bit_cast<std::uint64_t>(1.0));
    out.mantissa[i % lane_count] = rounded(out.mantissa[i % lane_count] * mantissa);
    out.exponent[i % lane_count] += static_cast<std::int64_t>(biased);
    out.odd = out.odd || biased == 0 || biased == 0x7ff;
  }
}

}  // namespace detail::portable
TENSORTAP_END_NAMESPACE
