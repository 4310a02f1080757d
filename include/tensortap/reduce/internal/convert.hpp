// Conversions of elements: from any type to float32 or float64, exact where it fits, and back to the floating type of a
// tensor, rounded once.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The type in which kernels read elements: float for 16-bit floats.
template <class Element>
using Computed = std::conditional_t<sizeof(Element) == 2, float, Element>;

template <>
inline constexpr std::uint16_t infinity_bits<Half> = 0x7c00;
template <>
inline constexpr std::uint16_t infinity_bits<BFloat16> = 0x7f80;

/// Returns the bits of the float with the value of a binary16, like the conversion of `Half`, but without branches, so
/// that compilers vectorise it.
inline std::uint32_t widened(std::uint16_t half) noexcept {
  const std::int32_t magnitude = half & 0x7fff;
  const std::int32_t rebias = magnitude < 0x7c00 ? 112 << 23 : 224 << 23;
  const std::int32_t normal = (magnitude << 13) + rebias;
  const auto subnormal = std::bit_cast<std::int32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  const std::int32_t is_subnormal = -static_cast<std::int32_t>(magnitude < 0x400);  // a mask: g++ 12 would branch here
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  return static_cast<std::uint32_t>((subnormal & is_subnormal) | (normal & ~is_subnormal)) | sign;
}

/// A bool in memory, which may hold any byte.
struct Truth {
  std::uint8_t byte;

  template <class To>
  explicit operator To() const noexcept {
    return byte != 0 ? To{1} : To{0};
  }
};

template <class From, class To>
void convert(const From& from, To& to) noexcept {
  if constexpr (std::same_as<From, Half>) {
    to = std::bit_cast<float>(widened(from.bits));
  } else if constexpr (std::same_as<From, BFloat16>) {
    to = std::bit_cast<float>(static_cast<std::uint32_t>(from.bits) << 16);
  } else {
    to = static_cast<To>(from);
  }
}

/// Converts `count` elements of any alignment.
template <class From, class To>
void convert_elements(const std::byte* from, std::size_t count, To* to) noexcept {
  constexpr std::size_t chunk = 16;  // a constant number of rounds, which g++ 12 -O2 turns into vectors
  std::size_t i = 0;
  for (; i + chunk <= count; i += chunk) {
    From chunk_from[chunk];
    To chunk_to[chunk];
    std::memcpy(chunk_from, from + i * sizeof(From), sizeof chunk_from);
    for (std::size_t k = 0; k < chunk; ++k) convert(chunk_from[k], chunk_to[k]);
    std::memcpy(to + i, chunk_to, sizeof chunk_to);
  }
  for (std::size_t rest = count % chunk; rest > 0; --rest, ++i) convert(load<From>(from + i * sizeof(From)), to[i]);
}

/// Loads an element, of any alignment.
template <class Element>
Computed<Element> load_computed(const std::byte* from) noexcept {
  Computed<Element> out;
  convert(load<Element>(from), out);
  return out;
}

/// Returns the bits of `value` as f16, bf16, f32 or f64, rounded to nearest, in the low end; also where -ffast-math
/// makes the compiler assume that NaN and infinities do not exist.
inline std::uint64_t narrowed(double value, DType dtype) noexcept {
  const std::uint64_t bits = bits_of(value);
  const std::uint64_t sign = bits >> 63;
  if (!is_finite(value)) {
    const bool nan = (bits & ~sign_bit<double>) != infinity_bits<double>;
    switch (dtype) {
      case DType::f16: return nan ? 0x7e00u : 0x7c00u | sign << 15;
      case DType::bf16: return nan ? 0x7fc0u : 0x7f80u | sign << 15;
      case DType::f32: return nan ? 0x7fc00000u : 0x7f800000u | sign << 31;
      default: return nan ? nan_bits : bits;
    }
  }
  switch (dtype) {
    case DType::f16: return Half(value).bits;
    case DType::bf16: return BFloat16(value).bits;
    case DType::f32: return bits_of(rounded(static_cast<float>(value)));
    default: return bits;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
