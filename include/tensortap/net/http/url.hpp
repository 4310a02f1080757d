// Addresses and their percent-encoding.
//
//   const tensortap::Url url = tensortap::parse_url("https://s3.eu-west-1.amazonaws.com/bucket?list-type=2");
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/internal/text.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Where a request goes. Path and query are as they are sent: percent-encoded.
struct Url {
  std::string scheme = "https";  ///< "http" or "https"
  std::string host = {};         ///< in lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;        ///< 0: the scheme's own
  std::string path = "/";        ///< begins with '/'
  std::string query = {};        ///< without '?'

  [[nodiscard]] std::uint16_t default_port() const noexcept { return scheme == "https" ? 443 : 80; }
  [[nodiscard]] std::uint16_t port_or_default() const noexcept { return port != 0 ? port : default_port(); }
  /// Host and port as the Host header has them.
  [[nodiscard]] std::string authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == 0 || port == default_port() ? name : name + ":" + std::to_string(port);
  }
  /// Path and query.
  [[nodiscard]] std::string target() const { return query.empty() ? path : path + "?" + query; }
};

/// `text` with every byte but letters, digits and "-._~" (RFC 3986, unreserved) as %XX; '/' stays if `keep_slash`.
inline std::string percent_encoded(std::string_view text, bool keep_slash = false) {
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z') || u == '-' ||
                       u == '.' || u == '_' || u == '~' || (u == '/' && keep_slash);
    if (plain)
      out += c;
    else
      out += {'%', hex[u >> 4], hex[u & 15]};
  }
  return out;
}

/// `text` with every %XX as its byte, and, as in forms, '+' as a blank if `plus_is_blank`; what is no such triple
/// stays.
inline std::string percent_decoded(std::string_view text, bool plus_is_blank = false) {
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

/// Takes "http://…" or "https://…" apart. Throws: another scheme, a user or password in it, no host, a port that is
/// none, white space or control characters.
inline Url parse_url(std::string_view text) {
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
      throw refuse("its port is no number from 1 to 65535");
  }

  const std::size_t mark = rest.find('?');
  if (mark != 0 && !rest.empty()) url.path = rest.substr(0, mark);
  if (mark != std::string_view::npos) url.query = rest.substr(mark + 1);
  return url;
}

TENSORTAP_END_NAMESPACE
