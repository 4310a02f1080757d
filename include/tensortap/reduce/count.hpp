// How many elements of a tensor lie in an interval: units that are dead, activations that saturate. Elements of every
// type are compared as they are, integers beyond 2^53 included. NaN, infinities and zeros are counted by
// statistics.hpp, magnitudes of all sizes by histogram.hpp.
//
//   const std::uint64_t dead = tensortap::count_at_most(gradient, 0);
//   const std::uint64_t tame = tensortap::count_between(gradient, -0.5, 0.5);   // the ends are inside
//   std::cout << dead << " and " << tame << " of " << gradient.size() << '\n';
#pragma once

#include <array>
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
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/narrow.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

static_assert(std::numeric_limits<long double>::digits >= 64, "tensortap: long double must hold integers of 64 bits");

/// Integers that are ordered as the elements of type T are. Those of a float are its bits, those of the magnitude
/// inverted if it is negative: -0 is -1, 0 is 0, and NaNs lie beyond the infinities.
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

/// The elements of type T that are not below `lower` and not above `upper`; nothing if there are none.
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
    // The nearest element is the next one below or above, also if it is rounded twice.
    const auto nearest = [](long double x, Key& key) {
      const auto bits = static_cast<std::make_unsigned_t<Key>>(narrowed(static_cast<double>(x), *dtype_v<T>));
      key = key_of<T>(static_cast<Key>(bits));
      if constexpr (sizeof(T) == 2)
        return static_cast<long double>(static_cast<float>(T{bits}));
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

/// How many elements of a block have their key between two; `truth`: elements are 0 or 1, the latter as any byte.
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
  for (; i + lane_count <= block.count; i += lane_count) {  // of constant length, which g++ 12 -O2 turns into vectors
    Key row[lane_count];
    std::memcpy(row, block.elements + i * sizeof(Key), sizeof row);
    for (std::size_t j = 0; j < lane_count; ++j) add(row[j], lanes[j]);
  }
  for (std::size_t j = 0; i < block.count; ++i, ++j) add(load<Key>(block.elements + i * sizeof(Key)), lanes[j]);
  std::uint64_t total = 0;
  for (const Count count : lanes) total += count;
  return total;
}

/// Its elements are T; bools are read as uint8.
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

/// How many elements x have lower <= x <= upper. Infinities may be ends, and are elements like others; NaN lies inside
/// nothing, and nothing inside an interval with an end of NaN.
/// Numeric: exact. The ends are not rounded: long double holds every number of 64 bits. Both zeros are equal; True
/// is 1. Empty: 0. Throws: complex numbers and strings. Threads: any; needs 40 KiB of stack.
[[nodiscard]] inline std::uint64_t count_between(const TensorView& view, long double lower, long double upper) {
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

/// The same of whatever `as_view` sees a tensor in.
template <class T>
[[nodiscard]] std::uint64_t count_between(const T& tensor, long double lower, long double upper) {
  return count_between(as_view(tensor), lower, upper);
}

/// How many elements of whatever `as_view` sees a tensor in are not above `bound`, -infinity included: of a
/// rectifier's inputs, with 0, those that it lets nothing of through. Otherwise like `count_between`.
template <class T>
[[nodiscard]] std::uint64_t count_at_most(const T& tensor, long double bound) {
  return count_between(as_view(tensor), -static_cast<long double>(detail::number_of(detail::infinity_bits<double>)),
                       bound);
}

TENSORTAP_END_NAMESPACE
