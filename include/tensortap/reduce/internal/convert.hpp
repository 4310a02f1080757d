// Elements of any type as float32 or float64, exactly where they fit. Not for user code.
//
//   float wide[16];
//   tensortap::detail::convert_elements<tensortap::Half>(bytes, 16, wide);
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The bits of the float with the value of a binary16: like the conversion of `Half`, but without branches, so that
/// compilers make vectors of it.
inline std::uint32_t widened(std::uint16_t half) noexcept {
  const std::int32_t magnitude = half & 0x7fff;
  const std::int32_t rebias = magnitude < 0x7c00 ? 112 << 23 : 224 << 23;
  const std::int32_t normal = (magnitude << 13) + rebias;
  const auto subnormal = std::bit_cast<std::int32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  const std::int32_t is_subnormal = -static_cast<std::int32_t>(magnitude < 0x400);  // a mask: g++ 12 would branch here
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  return static_cast<std::uint32_t>((subnormal & is_subnormal) | (normal & ~is_subnormal)) | sign;
}

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

/// `count` elements of any alignment.
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

}  // namespace detail
TENSORTAP_END_NAMESPACE
