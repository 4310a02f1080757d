// How elements are counted: their bits, as integers in the order of the numbers, are compared with two bounds.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/count.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

static_assert(std::numeric_limits<long double>::digits >= 64, "tensortap: long double must hold integers of 64 bits");

/// The type of integers that are ordered like the elements of type T. The key of a float is its bits, with those of the
/// magnitude inverted if it is negative: -0 is -1, 0 is 0, and NaNs lie beyond the infinities.
template <class T>
using KeyOf = std::conditional_t<
    std::integral<T>, T,
    std::conditional_t<sizeof(T) == 2, std::int16_t, std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>>>;

template <class T>
[[gnu::always_inline]] inline KeyOf<T> key_of(KeyOf<T> bits) noexcept {
  using Key = KeyOf<T>;
  if constexpr (std::integral<T>) return bits;
  return static_cast<Key>(bits ^ ((bits >> (8 * sizeof(Key) - 1)) & std::numeric_limits<Key>::max()));
}

/// Keys from `first` to `last`.
template <class Key>
struct KeyInterval {
  Key first, last;
};

/// Returns the keys of the elements of type T that are not below `lower` and not above `upper`; nothing if no element
/// of that type is.
template <class T>
std::optional<KeyInterval<KeyOf<T>>> keys_between(long double lower, long double upper) noexcept {
  using Key = KeyOf<T>;
  const auto is_nan = [](long double x) {
    return (bits_of(static_cast<double>(x)) & ~sign_bit<double>) > infinity_bits<double>;
  };
  if (is_nan(lower) || is_nan(upper)) return std::nullopt;
  KeyInterval<Key> keys{};
  if constexpr (std::integral<T>) {
    constexpr auto min = static_cast<long double>(std::numeric_limits<T>::min());
    constexpr auto max = static_cast<long double>(std::numeric_limits<T>::max());
    if (lower > max || upper < min) return std::nullopt;
    keys.first = lower <= min ? std::numeric_limits<T>::min() : static_cast<T>(std::ceil(lower));
    keys.last = upper >= max ? std::numeric_limits<T>::max() : static_cast<T>(std::floor(upper));
  } else {
    // The nearest element is the next one below or above, even though it is rounded twice.
    const auto nearest = [](long double x, Key& key) {
      const auto bits = static_cast<std::make_unsigned_t<Key>>(narrowed(static_cast<double>(x), *dtype_v<T>));
      key = key_of<T>(static_cast<Key>(bits));
      if constexpr (sizeof(T) == 2)
        return static_cast<long double>(static_cast<float>(T::from_bits(bits)));
      else
        return static_cast<long double>(std::bit_cast<T>(bits));
    };
    if (nearest(lower, keys.first) < lower) ++keys.first;
    if (nearest(upper, keys.last) > upper) --keys.last;
    if (keys.first == 0) keys.first = -1;  // both zeros
    if (keys.last == -1) keys.last = 0;
  }
  if (keys.first > keys.last) return std::nullopt;
  return keys;
}

/// Counts the elements of a block whose key is in `keys`. `truth`: the elements are bools, of which any byte but 0
/// is 1.
template <class T>
std::uint64_t count_keys(const Block& block, KeyInterval<KeyOf<T>> keys, bool truth) noexcept {
  using Key = KeyOf<T>;
  using Offset = std::make_unsigned_t<Key>;
  using Count = std::conditional_t<sizeof(Key) == 1, std::uint16_t, Offset>;
  const auto first = static_cast<Offset>(keys.first);
  const auto length = static_cast<Offset>(static_cast<Offset>(keys.last) - first);
  std::array<Count, lane_count> lanes{};
  const auto add = [&](Key bits, Count& count) {
    if (truth) bits = static_cast<Key>(bits != 0);
    const auto offset = static_cast<Offset>(static_cast<Offset>(key_of<T>(bits)) - first);
    count = static_cast<Count>(count + (offset <= length));
  };
  std::size_t i = 0;
  for (; i + lane_count <= block.count; i += lane_count) {  // of constant length, which g++ 12 -O2 vectorises
    Key row[lane_count];
    std::memcpy(row, block.elements + i * sizeof(Key), sizeof row);
    for (std::size_t j = 0; j < lane_count; ++j) add(row[j], lanes[j]);
  }
  for (std::size_t j = 0; i < block.count; ++i, ++j) add(load<Key>(block.elements + i * sizeof(Key)), lanes[j]);
  std::uint64_t total = 0;
  for (const Count count : lanes) total += count;
  return total;
}

/// Counts in a tensor whose elements are T. Bools are read as uint8.
template <class T>
[[gnu::noinline]] std::uint64_t count_inside(const TensorView& view, long double lower, long double upper) {
  const auto keys = keys_between<T>(lower, upper);
  if (!keys) return 0;
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < block_count(view); ++i)
    count += count_keys<T>(raw_block(view, i, buffer), *keys, view.dtype() == DType::boolean);
  return count;
}

}  // namespace detail

TENSORTAP_INLINE std::uint64_t count_between(const TensorView& view, long double lower, long double upper) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  const detail::IeeeMode ieee;
  switch (view.dtype()) {
    case DType::f16: return detail::count_inside<Half>(view, lower, upper);
    case DType::bf16: return detail::count_inside<BFloat16>(view, lower, upper);
    case DType::f32: return detail::count_inside<float>(view, lower, upper);
    case DType::f64: return detail::count_inside<double>(view, lower, upper);
    case DType::i8: return detail::count_inside<std::int8_t>(view, lower, upper);
    case DType::i16: return detail::count_inside<std::int16_t>(view, lower, upper);
    case DType::i32: return detail::count_inside<std::int32_t>(view, lower, upper);
    case DType::i64: return detail::count_inside<std::int64_t>(view, lower, upper);
    case DType::u16: return detail::count_inside<std::uint16_t>(view, lower, upper);
    case DType::u32: return detail::count_inside<std::uint32_t>(view, lower, upper);
    case DType::u64: return detail::count_inside<std::uint64_t>(view, lower, upper);
    default: return detail::count_inside<std::uint8_t>(view, lower, upper);  // u8 and bool
  }
}

TENSORTAP_INLINE std::uint64_t count_at_most(const TensorView& view, long double bound) {
  const double minus_infinity = -detail::number_of(detail::infinity_bits<double>);
  return count_between(view, static_cast<long double>(minus_infinity), bound);
}

TENSORTAP_END_NAMESPACE
