// What is counted and sought by the bits of the elements: zeros, and the element of a given magnitude. The loops are in
// vectors of `width` bytes, which each instruction set chooses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Numbers of zeros: of both signs, and of -0.
struct Zeros {
  std::uint64_t count, negative;
};

template <class Element, std::size_t width>
[[gnu::always_inline]] inline Zeros count_zeros(const std::byte* elements, std::size_t count) noexcept {
  using Bits = BitsOf<Element>;
  using Vector [[gnu::vector_size(width)]] = Bits;
  constexpr std::size_t lanes = width / sizeof(Bits);
  Vector zeros{}, negative{};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    Vector bits;
    std::memcpy(&bits, elements + i * sizeof(Bits), sizeof bits);
    zeros -= static_cast<Vector>((bits << 1) == 0);  // a comparison gives -1 where it is true
    negative -= static_cast<Vector>(bits == sign_bit<Element>);
  }
  Zeros out{};
  for (std::size_t j = 0; j < lanes; ++j) out.count += zeros[j], out.negative += negative[j];
  for (; i < count; ++i) {
    const Bits bits = load<Bits>(elements + i * sizeof(Bits));
    out.count += static_cast<Bits>(bits << 1) == 0 ? 1 : 0;
    out.negative += bits == sign_bit<Element> ? 1 : 0;
  }
  return out;
}

/// Returns the index of the first element with the bits `magnitude`, whatever its sign; the block holds one.
template <class Element, std::size_t width>
[[gnu::always_inline]] inline std::size_t find_magnitude(const std::byte* elements, std::size_t count,
                                                         BitsOf<Element> magnitude) noexcept {
  using Bits = BitsOf<Element>;
  using Vector [[gnu::vector_size(width)]] = Bits;
  constexpr std::size_t lanes = width / sizeof(Bits);
  const auto wanted = static_cast<Bits>(magnitude << 1);
  std::size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    Vector found{};
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
      Vector bits;
      std::memcpy(&bits, elements + (i + k * lanes) * sizeof(Bits), sizeof bits);
      found |= static_cast<Vector>((bits << 1) == wanted);
    }
    std::uint64_t words[width / 8], any = 0;
    std::memcpy(words, &found, sizeof words);
    for (const std::uint64_t word : words) any |= word;
    if (any != 0) break;
  }
  while (i + 1 < count && static_cast<Bits>(load<Bits>(elements + i * sizeof(Bits)) << 1) != wanted) ++i;
  return i;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
