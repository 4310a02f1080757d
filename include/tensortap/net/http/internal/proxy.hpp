// Chooses the proxy for a host, by the environment variables that curl reads.
//
//   const auto proxy = proxies_of_environment().proxy_for(parse_url("https://example.com"));
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A proxy that speaks HTTP.
struct HttpProxy {
  std::string host = {};
  std::uint16_t port = 1080;  ///< Source: curl's default
  std::string user = {};
  std::string password = {};
};

/// Parses "http://user:password@host:port"; scheme, user and port are optional. Throws: another scheme, no host.
inline HttpProxy parse_proxy(std::string_view text) {
  HttpProxy proxy;
  std::string scheme = "http";
  if (const std::size_t colon = text.find("://"); colon != std::string_view::npos) {
    scheme = detail::lower_case(std::string(text.substr(0, colon)));
    text.remove_prefix(colon + 3);
  }
  text = text.substr(0, text.find_first_of("/?#"));
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = text.substr(0, at);
    const std::size_t colon = user.find(':');
    proxy.user = percent_decoded(user.substr(0, colon));
    if (colon != std::string_view::npos) proxy.password = percent_decoded(user.substr(colon + 1));
    text.remove_prefix(at + 1);
  }
  if (scheme != "http") throw Error::bad_url(scheme + "://…", "a proxy must speak http");
  const Url url = parse_url("http://" + std::string(text));
  proxy.host = url.host;
  if (url.port != 0) proxy.port = url.port;
  return proxy;
}

/// The bytes of an IP address, 4 or 16.
struct IpAddress {
  std::array<unsigned char, 16> bytes{};
  unsigned bits = 0;

  /// Parses an IPv4 or IPv6 address. Returns nullopt for any other text.
  static std::optional<IpAddress> parse(std::string_view text) {
    IpAddress address;
    const std::string copy(text);
    if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address.bits = 32, address;
    if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address.bits = 128, address;
    return std::nullopt;
  }

  /// Returns whether the first `prefix` bits equal those of `other`.
  [[nodiscard]] bool shares_prefix(const IpAddress& other, std::uint64_t prefix) const {
    if (bits != other.bits || prefix > bits) return false;
    for (unsigned bit = 0; bit < prefix; ++bit)
      if (((bytes[bit / 8] ^ other.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
    return true;
  }
};

/// Returns whether one entry of no_proxy matches `url`. An entry is "*", a domain with its subdomains, an address, or a
/// network such as "10.0.0.0/8"; a port may follow a name or an IPv4 address.
inline bool matches_no_proxy(std::string_view entry, const Url& url) {
  if (entry == "*") return true;
  const auto host = IpAddress::parse(url.host);
  if (const std::size_t slash = entry.find('/'); slash != std::string_view::npos) {
    const auto network = IpAddress::parse(entry.substr(0, slash));
    const auto prefix = whole_number(entry.substr(slash + 1));
    return host && network && prefix && host->shares_prefix(*network, *prefix);
  }
  if (entry.starts_with('[')) {
    const std::size_t end = entry.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view port = entry.substr(end + 1);
    if (port.starts_with(':') && whole_number(port.substr(1)) != url.port_or_default()) return false;
    entry = entry.substr(1, end - 1);
  } else if (const std::size_t colon = entry.find(':'); colon != std::string_view::npos && colon == entry.rfind(':')) {
    if (whole_number(entry.substr(colon + 1)) != url.port_or_default()) return false;
    entry = entry.substr(0, colon);
  }
  if (const auto address = IpAddress::parse(entry)) return host && host->shares_prefix(*address, address->bits);
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  std::string_view name = url.host;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (entry.ends_with('.')) entry.remove_suffix(1);
  if (entry.empty() || host) return false;
  return name == entry || (name.ends_with(entry) && name[name.size() - entry.size() - 1] == '.');
}

/// Returns whether `host` is a link-local service of the cloud provider. It serves the machine's credentials, which
/// must not pass through a proxy.
inline bool is_metadata_address(std::string_view host) {
  const auto address = IpAddress::parse(host);
  return address && (address->shares_prefix(*IpAddress::parse("169.254.0.0"), 16) ||
                     address->shares_prefix(*IpAddress::parse("fd00:ec2::"), 32));
}

/// The proxies by scheme, as text. Empty: no proxy.
struct HttpProxies {
  std::string http = {};
  std::string https = {};
  std::string none_for = {};  ///< entries of no_proxy, separated by commas or spaces

  /// Returns the proxy for `url`; nullopt for a direct connection, which metadata addresses always get. Throws: as
  /// parse_proxy.
  [[nodiscard]] std::optional<HttpProxy> proxy_for(const Url& url) const {
    const std::string& proxy = url.scheme == "https" ? https : http;
    if (proxy.empty() || detail::is_metadata_address(url.host)) return std::nullopt;
    const std::string lower = detail::lower_case(none_for);
    for (std::string_view rest = lower; !rest.empty();) {
      const std::size_t end = rest.find_first_of(", \t");
      if (const std::string_view entry = rest.substr(0, end); !entry.empty() && detail::matches_no_proxy(entry, url))
        return std::nullopt;
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return parse_proxy(proxy);
  }
};

/// Returns the proxies of http_proxy, https_proxy, all_proxy and no_proxy, or of the same names in capitals. Ignores
/// HTTP_PROXY in a CGI program, where a client could set it by a "Proxy" header.
inline HttpProxies proxies_of_environment(const std::function<const char*(const char* name)>& variable = std::getenv) {
  const auto either = [&](const char* lower, const char* upper) -> std::string {
    for (const char* const name : {lower, upper})
      if (const char* const value = name == nullptr ? nullptr : variable(name); value != nullptr && *value != '\0')
        return value;
    return {};
  };
  HttpProxies proxies;
  const std::string all = either("all_proxy", "ALL_PROXY");
  proxies.http = either("http_proxy", variable("REQUEST_METHOD") == nullptr ? "HTTP_PROXY" : nullptr);
  proxies.https = either("https_proxy", "HTTPS_PROXY");
  proxies.none_for = either("no_proxy", "NO_PROXY");
  if (proxies.http.empty()) proxies.http = all;
  if (proxies.https.empty()) proxies.https = all;
  return proxies;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
