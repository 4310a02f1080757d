// Which characters must not reach a terminal or a log, although they are well-formed and no controls.
#pragma once

#include <cstdint>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the code point of `character`, a well-formed sequence of UTF-8.
inline std::uint32_t code_point(std::string_view character) noexcept {
  std::uint32_t code = static_cast<unsigned char>(character[0]) & (0x7fu >> character.size());
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return code;
}

/// Returns whether the code point is invisible and may change the order, the lines or the look of the text around it.
/// Source: Unicode 15, category Cf and the separators of lines and paragraphs.
constexpr bool is_invisible(std::uint32_t code) noexcept {
  constexpr std::uint32_t ranges[][2] = {{0x00ad, 0x00ad},   {0x061c, 0x061c},   {0x180e, 0x180e},  {0x200b, 0x200f},
                                         {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},  {0xfff9, 0xfffb},
                                         {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}};
  for (const auto& [first, last] : ranges)
    if (code >= first && code <= last) return true;
  return false;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
