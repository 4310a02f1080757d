// Credentials from the metadata service of a container: ECS, EKS Pod Identity, Greengrass.
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/aws/internal/credentials_json.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/small_file.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Whether `host` is this machine.
inline bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

/// Whether `host` is where ECS and EKS serve credentials.
inline bool is_container_host(const std::string& host) {
  in6_addr eks{}, given{};
  ::inet_pton(AF_INET6, "fd00:ec2::23", &eks);
  return host == "169.254.170.2" || host == "169.254.170.23" ||
         (::inet_pton(AF_INET6, host.c_str(), &given) == 1 && std::memcmp(&eks, &given, sizeof eks) == 0);
}

/// Whether the environment names a metadata service of a container; then the machine's is not asked.
inline bool has_container_endpoint(const CredentialsOptions& options) {
  return !detail::variable(options, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() ||
         !detail::variable(options, "AWS_CONTAINER_CREDENTIALS_FULL_URI").empty();
}

/// The credentials that AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI leads to. Without TLS only addresses that
/// cannot leave this machine are asked. AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is read each time.
inline CredentialsAnswer container_credentials(const CredentialsOptions& options) {
  const std::string relative = detail::variable(options, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = detail::variable(options, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty())
    return CredentialsAnswer::none("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
  if (!options.transport) return CredentialsAnswer::failed("no HTTP transport was given");
  if (!relative.empty() && relative.front() != '/')
    return CredentialsAnswer::failed("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");

  HttpRequest request;
  try {
    request.url = parse_url(relative.empty() ? full : "http://169.254.170.2" + relative);
  } catch (const Error&) {  // whose message repeats the address, which may hold a secret
    return CredentialsAnswer::failed(std::string("AWS_CONTAINER_CREDENTIALS_") +
                                     (relative.empty() ? "FULL_URI" : "RELATIVE_URI") + " is no address");
  }
  const std::string& host = request.url.host;
  if (request.url.scheme != "https" && !detail::is_loopback(host) && !detail::is_container_host(host))
    return CredentialsAnswer::failed("AWS_CONTAINER_CREDENTIALS_FULL_URI: http:// to " + in_quotes(host) +
                                     " is not safe; use https://");

  std::string token = detail::variable(options, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string path = detail::variable(options, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !path.empty()) {
    detail::SmallFile file = detail::read_small_file(path, detail::credentials_limit);
    if (!file.why.empty()) return CredentialsAnswer::failed("token file " + in_quotes(path) + ": " + file.why);
    token = std::move(file.text);
    if (token.ends_with('\n')) token.pop_back();
    if (token.ends_with('\r')) token.pop_back();
  }
  for (const char c : token)  // a line end would begin another header field
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      return CredentialsAnswer::failed("the authorization token has line ends or control characters");
  if (!token.empty()) request.headers["authorization"] = token;
  request.headers["accept"] = "application/json";

  const HttpReply reply = detail::exchanged(options, request, options.metadata_timeout);
  if (!detail::succeeded(reply)) return CredentialsAnswer::failed(detail::trouble_of(request.url, reply));
  return detail::credentials_of_json(reply.body, "container", false);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
