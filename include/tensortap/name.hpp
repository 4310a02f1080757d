// The limits on names of tensors: their length, and UTF-8.
//
//   const bool is_valid = key.size() <= tensortap::name_limit && tensortap::is_utf8(key);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The largest size of a tensor name and of a pattern. Units: bytes.
inline constexpr std::size_t name_limit = 1024;

/// Returns whether `text` is well-formed UTF-8, which protobuf and JSON require. Source: RFC 3629.
constexpr bool is_utf8(std::string_view text) noexcept {
  constexpr std::array<std::uint32_t, 4> smallest = {0, 0x80, 0x800, 0x10000};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) continue;
    const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i <= more) return false;
    std::uint32_t code = lead & (0x3fu >> more);
    for (std::size_t k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[++i]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3fu);
    }
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
  }
  return true;
}

TENSORTAP_END_NAMESPACE
