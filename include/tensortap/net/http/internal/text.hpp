// Text as HTTP has it: ASCII, whatever the locale. Not for users.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

/// `text` as a number to `base`; nothing if it is none, or anything follows.
inline std::optional<std::uint64_t> whole_number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [read, failure] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || failure != std::errc() || read != end) return std::nullopt;
  return value;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
