// What the kernels do not count: NaN, infinities and zeros of a block whose totals show that it has some. Looks at bits
// only. Not for user code.
//
//   if (totals.abs_min == 0) zeros += tensortap::detail::count_zeros<float>(block).count;
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Calls `f(bits, lane)` for each element; full rows in rounds of constant length, which g++ 12 -O2 turns into vectors.
template <class In, class F>
void for_each_bits(const Block& block, F&& f) noexcept {
  std::size_t i = 0;
  for (; i + lane_count <= block.count; i += lane_count) {
    BitsOf<In> row[lane_count];
    std::memcpy(row, block.elements + i * sizeof(In), sizeof row);
    for (std::size_t j = 0; j < lane_count; ++j) f(row[j], j);
  }
  for (std::size_t j = 0; i < block.count; ++i, ++j) f(load<BitsOf<In>>(block.elements + i * sizeof(In)), j);
}

template <class Count>
std::uint64_t total(const std::array<Count, lane_count>& counts) noexcept {
  std::uint64_t sum = 0;
  for (const Count count : counts) sum += count;
  return sum;
}

/// Zeros of both signs.
struct Zeros {
  std::uint64_t count, negative;
};

template <class In>
[[gnu::noinline]] Zeros count_zeros(const Block& block) noexcept {
  std::array<BitsOf<In>, lane_count> zeros{};
  std::array<BitsOf<In>, lane_count> negative{};
  for_each_bits<In>(block, [&](BitsOf<In> bits, std::size_t lane) {
    zeros[lane] += static_cast<BitsOf<In>>(bits << 1) == 0;
    negative[lane] += bits == sign_bit<In>;
  });
  return {total(zeros), total(negative)};
}

/// NaNs and infinities, and where the first of them and the first finite element are (the block's size if there is
/// none).
struct NonFinite {
  std::uint64_t nan, positive_inf, negative_inf;
  std::size_t first, first_finite;

  [[nodiscard]] std::uint64_t count() const noexcept { return nan + positive_inf + negative_inf; }
};

template <class In>
[[gnu::noinline]] NonFinite count_non_finite(const Block& block) noexcept {
  constexpr BitsOf<In> inf = infinity_bits<In>;
  std::array<BitsOf<In>, lane_count> nan{};
  std::array<BitsOf<In>, lane_count> positive{};
  std::array<BitsOf<In>, lane_count> negative{};
  for_each_bits<In>(block, [&](BitsOf<In> bits, std::size_t lane) {
    nan[lane] += static_cast<BitsOf<In>>(bits << 1) > static_cast<BitsOf<In>>(inf << 1);
    positive[lane] += bits == inf;
    negative[lane] += bits == (inf | sign_bit<In>);
  });
  const auto find = [&](bool finite) {
    std::size_t i = 0;
    while (i < block.count && ((load<BitsOf<In>>(block.elements + i * sizeof(In)) & inf) != inf) != finite) ++i;
    return i;
  };
  return {total(nan), total(positive), total(negative), find(false), find(true)};
}

/// The place of the first element of magnitude `size`, which is in the block.
template <class In>
[[gnu::noinline]] std::size_t find_magnitude(const Block& block, In size) noexcept {
  const BitsOf<In> wanted = static_cast<BitsOf<In>>(bits_of(size) << 1);
  const auto bits_at = [&](std::size_t i) {
    return static_cast<BitsOf<In>>(load<BitsOf<In>>(block.elements + i * sizeof(In)) << 1);
  };
  std::size_t i = 0;
  for (; i + lane_count <= block.count; i += lane_count) {
    BitsOf<In> row[lane_count];
    BitsOf<In> equal = 0;
    std::memcpy(row, block.elements + i * sizeof(In), sizeof row);
    for (std::size_t j = 0; j < lane_count; ++j) equal |= static_cast<BitsOf<In>>(row[j] << 1) == wanted;
    if (equal != 0) break;
  }
  while (i + 1 < block.count && bits_at(i) != wanted) ++i;
  return i;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
