// URLs and their percent-encoding.
//
//   const tensortap::Url url = tensortap::parse_url("https://s3.eu-west-1.amazonaws.com/bucket?list-type=2");
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The address of a request. Path and query are percent-encoded, as they are sent.
struct Url {
  std::string scheme = "https";  ///< "http" or "https"
  std::string host = {};         ///< in lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;        ///< 0: the default port of the scheme
  std::string path = "/";        ///< begins with '/'
  std::string query = {};        ///< without '?'

  /// Returns the default port of the scheme.
  [[nodiscard]] std::uint16_t default_port() const noexcept { return scheme == "https" ? 443 : 80; }
  /// Returns the port, or the default port of the scheme.
  [[nodiscard]] std::uint16_t port_or_default() const noexcept { return port != 0 ? port : default_port(); }
  /// Returns host and port as in the Host header.
  [[nodiscard]] std::string authority() const;
  /// Returns path and query.
  [[nodiscard]] std::string target() const;
};

/// Returns `text` with every byte as %XX except letters, digits and "-._~" (RFC 3986, unreserved). Keeps '/' if
/// `keep_slash`.
std::string percent_encoded(std::string_view text, bool keep_slash = false);

/// Returns `text` with every %XX decoded, and '+' as a blank if `plus_is_blank`, as in forms. Malformed escapes stay.
std::string percent_decoded(std::string_view text, bool plus_is_blank = false);

/// Parses "http://…" or "https://…". Throws: another scheme, a user or password in it, no host, a malformed port, white
/// space or control characters.
Url parse_url(std::string_view text);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/http/internal/url_impl.hpp>
#endif
