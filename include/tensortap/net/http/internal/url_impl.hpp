// Parses, encodes and decodes URLs.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 0 || port == default_port() ? name : name + ":" + std::to_string(unsigned{port});
}

TENSORTAP_INLINE std::string Url::target() const { return query.empty() ? path : path + "?" + query; }

TENSORTAP_INLINE std::string percent_encoded(std::string_view text, bool keep_slash) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z') || u == '-' ||
                       u == '.' || u == '_' || u == '~' || (u == '/' && keep_slash);
    out += plain ? c : '%';
    if (!plain) append_hex(out, static_cast<std::byte>(c), HexCase::upper);
  }
  return out;
}

TENSORTAP_INLINE std::string percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_blank ? ' ' : text[i];
    }
  }
  return out;
}

TENSORTAP_INLINE Url parse_url(std::string_view text) {
  const auto refuse = [&](std::string_view cause) -> Error { return Error::bad_url(text, cause); };
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) throw refuse("it has white space or control characters");
  Url url;
  const std::size_t colon = text.find("://");
  url.scheme = detail::lower_case(std::string(text.substr(0, colon == std::string_view::npos ? 0 : colon)));
  if (url.scheme != "http" && url.scheme != "https") throw refuse("it begins with neither http:// nor https://");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  if (authority.find('@') != std::string_view::npos) throw Error::bad_url("…", "it has a user or password in it");

  const bool bracketed = authority.starts_with('[');
  const std::size_t end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && end == std::string_view::npos) throw refuse("its bracket is not closed");
  url.host = detail::lower_case(std::string(bracketed ? authority.substr(1, end - 1) : authority.substr(0, end)));
  if (url.host.empty()) throw refuse("it has no host");
  authority.remove_prefix(end == std::string_view::npos ? authority.size() : bracketed ? end + 1 : end);
  if (!authority.empty()) {
    const char* const last = authority.data() + authority.size();
    const auto [read, failure] = std::from_chars(authority.data() + 1, last, url.port);
    if (authority[0] != ':' || failure != std::errc() || read != last || url.port == 0)
      throw refuse("its port is not a number from 1 to 65535");
  }

  const std::size_t mark = rest.find('?');
  if (mark != 0 && !rest.empty()) url.path = rest.substr(0, mark);
  if (mark != std::string_view::npos) url.query = rest.substr(mark + 1);
  return url;
}

TENSORTAP_END_NAMESPACE
