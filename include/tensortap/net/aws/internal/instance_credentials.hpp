// Credentials of the role of an EC2 machine, from its metadata service (IMDSv2; the older form without a session token
// is not used).
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/aws/internal/credentials_json.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The credentials of the machine's role. AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT and
/// AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE are heeded.
inline CredentialsAnswer instance_credentials(const CredentialsOptions& options) {
  if (detail::lower_case(detail::variable(options, "AWS_EC2_METADATA_DISABLED")) == "true")
    return CredentialsAnswer::none("AWS_EC2_METADATA_DISABLED is true");
  if (!options.transport) return CredentialsAnswer::none("no HTTP transport was given");
  const std::string mode = detail::lower_case(detail::variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"));
  if (!mode.empty() && mode != "ipv4" && mode != "ipv6")
    return CredentialsAnswer::failed("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6");
  std::string endpoint = detail::variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) endpoint = mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  Url base;
  try {
    base = parse_url(endpoint);
  } catch (const Error&) {
    return CredentialsAnswer::failed("AWS_EC2_METADATA_SERVICE_ENDPOINT is no address");
  }
  while (base.path.ends_with('/')) base.path.pop_back();
  base.query.clear();

  const auto asked = [&](const char* method, const std::string& path, const char* header, const std::string& value) {
    HttpRequest request{.method = method, .url = base};
    request.url.path += path;
    request.headers[header] = value;
    return detail::exchanged(options, request, options.metadata_timeout);
  };
  constexpr const char* roles = "/latest/meta-data/iam/security-credentials/";
  HttpReply reply;
  for (int i = 0; i < 2; ++i) {  // a session token may be refused though it is new
    reply = asked("PUT", "/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds", "21600");
    const std::string token = reply.body;
    if (!detail::succeeded(reply)) return CredentialsAnswer::none(detail::trouble_of(base, reply));
    if (token.empty() || token.size() > 4096 || !detail::is_visible_ascii(token))
      return CredentialsAnswer::none(base.authority() + " gave something that is no session token");

    reply = asked("GET", roles, "x-aws-ec2-metadata-token", token);
    if (reply.status == 401) continue;
    if (reply.status == 404) return CredentialsAnswer::none("this machine has no role");
    if (!detail::succeeded(reply)) return CredentialsAnswer::failed(detail::trouble_of(base, reply));
    const std::string role = reply.body.substr(0, reply.body.find_first_of("\r\n"));
    if (role.empty() || role.size() > 256) return CredentialsAnswer::failed("the machine's role has no name");

    reply = asked("GET", roles + percent_encoded(role), "x-aws-ec2-metadata-token", token);
    if (reply.status == 401) continue;
    if (!detail::succeeded(reply)) return CredentialsAnswer::failed(detail::trouble_of(base, reply));
    return detail::credentials_of_json(reply.body, "instance", false);
  }
  return CredentialsAnswer::failed(detail::trouble_of(base, reply));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
