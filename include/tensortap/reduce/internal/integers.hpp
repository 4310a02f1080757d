// Reductions of integers and bools that float64 cannot hold: extremes in the element type, sums and products modulo
// 2^64. Not for user code.
//
//   const auto totals = tensortap::detail::integer_totals<std::int64_t>(view, /*products=*/false);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Sums and products wrap around, as int64 or uint64 do; those of int64 are the bits of it.
template <class T>
struct IntegerTotals {
  using Magnitude = std::make_unsigned_t<T>;

  T min = std::numeric_limits<T>::max();
  T max = std::numeric_limits<T>::min();
  Magnitude smallest = std::numeric_limits<Magnitude>::max();  ///< magnitude
  std::uint64_t sum = 0;
  std::uint64_t abs_sum = 0;
  std::uint64_t prod = 1;
  std::uint64_t abs_prod = 1;

  /// The smallest integer of a signed type has no magnitude in that type; it is taken for the largest one.
  [[nodiscard]] T abs_min() const noexcept { return saturated(smallest); }
  [[nodiscard]] T abs_max() const noexcept { return saturated(std::max(magnitude(min), magnitude(max))); }

  static Magnitude magnitude(T x) noexcept {
    const auto bits = static_cast<Magnitude>(x);
    if constexpr (std::is_signed_v<T>) return x < 0 ? static_cast<Magnitude>(0 - bits) : bits;
    return bits;
  }

 private:
  static T saturated(Magnitude magnitude) noexcept {
    return static_cast<T>(std::min(magnitude, static_cast<Magnitude>(std::numeric_limits<T>::max())));
  }
};

/// Adds the elements of a block, in registers.
template <class T, bool products>
void add_integers(const Block& block, bool truth, IntegerTotals<T>& totals) noexcept {
  IntegerTotals<T> t = totals;
  for (std::size_t k = 0; k < block.count; ++k) {
    T x = load<T>(block.elements + k * sizeof(T));
    if (truth) x = x != 0;
    const auto magnitude = IntegerTotals<T>::magnitude(x);
    t.min = std::min(t.min, x);
    t.max = std::max(t.max, x);
    t.smallest = std::min(t.smallest, magnitude);
    t.sum += static_cast<std::uint64_t>(x);  // extends the sign
    t.abs_sum += magnitude;
    if constexpr (products) {
      t.prod *= static_cast<std::uint64_t>(x);
      t.abs_prod *= magnitude;
    }
  }
  totals = t;
}

/// Of all elements of `view`, whose elements are T; bools are read as uint8, 0 or 1. Products only if asked for.
template <class T>
[[gnu::noinline]] IntegerTotals<T> integer_totals(const TensorView& view, bool products) {
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  IntegerTotals<T> totals;
  const bool truth = view.dtype() == DType::boolean;
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = raw_block(view, i, buffer);
    products ? add_integers<T, true>(block, truth, totals) : add_integers<T, false>(block, truth, totals);
  }
  return totals;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
