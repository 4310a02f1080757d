// Text and numbers as JSON.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Appends `text` as a JSON string: UTF-8 as it is, controls escaped.
inline void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  const std::string safe = is_utf8(text) ? std::string(text) : escaped(text);
  out += '"';
  for (const char c : safe) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20 || code == 0x7f) {
      out += "\\u00";
      out += digits[code >> 4];
      out += digits[code & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

inline void append_json_number(std::string& out, double number) {
  out += std::isfinite(number) ? shortest(number) : "null";
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
