// Reductions of integers and bools that float64 cannot hold: extremes in the element type, sums and products modulo 2^64.
// Not for user code.
//
//   const auto totals = tensortap::detail::integer_totals<std::int64_t>(view, /*products=*/false);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include <tensortap/reduce/blocks.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0::detail {

/// Sums and products wrap around, as int64 or uint64 do; those of int64 are the bits of it.
/// The smallest integer of a signed type has no magnitude in that type: `abs_min` and `abs_max` then are the largest one.
template <class T>
struct IntegerTotals {
  T min = std::numeric_limits<T>::max();
  T max = std::numeric_limits<T>::min();
  T abs_min = std::numeric_limits<T>::max();
  T abs_max = 0;
  std::uint64_t sum = 0;
  std::uint64_t abs_sum = 0;
  std::uint64_t prod = 1;
  std::uint64_t abs_prod = 1;

  void add(T x) noexcept {
    T size = x;
    if constexpr (std::is_signed_v<T>)
      if (x < 0) size = x == std::numeric_limits<T>::min() ? std::numeric_limits<T>::max() : static_cast<T>(-x);
    min = x < min ? x : min;
    max = x > max ? x : max;
    abs_min = size < abs_min ? size : abs_min;
    abs_max = size > abs_max ? size : abs_max;
    sum += wide(x);
    abs_sum += magnitude(x);
  }

  void multiply(T x) noexcept {
    prod *= wide(x);
    abs_prod *= magnitude(x);
  }

 private:
  static std::uint64_t wide(T x) noexcept { return static_cast<std::uint64_t>(x); }  // the sign is extended
  static std::uint64_t magnitude(T x) noexcept {
    if constexpr (std::is_signed_v<T>) return x < 0 ? 0 - wide(x) : wide(x);
    return wide(x);
  }
};

/// Of all elements of `view`, whose elements are T; bools are read as uint8, 0 or 1. Products only if asked for.
template <class T>
[[gnu::noinline]] IntegerTotals<T> integer_totals(const TensorView& view, bool products) {
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  IntegerTotals<T> totals;
  const bool truth = view.dtype() == DType::boolean;
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = raw_block(view, i, buffer);
    for (std::size_t k = 0; k < block.count; ++k) {
      T x = load<T>(block.elements + k * sizeof(T));
      if (truth) x = x != 0;
      totals.add(x);
      if (products) totals.multiply(x);
    }
  }
  return totals;
}

}  // namespace tensortap::inline v0::detail
