// Any text as text in HTML.
#pragma once

#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `text` as the text of an element.
inline std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : escaped(text)) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
