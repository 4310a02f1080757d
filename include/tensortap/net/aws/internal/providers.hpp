// Providers of credentials: the environment, the metadata service of a container, and that of a machine; what all
// providers share; and the JSON of their replies.
#pragma once

#include <arpa/inet.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/retry.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/secrets.hpp>
#include <tensortap/net/aws/internal/time.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The result of a provider: credentials, or why it has none.
struct ProviderResult {
  std::optional<Credentials> credentials = {};
  std::string why = {};   ///< why there are none, for messages
  bool is_final = false;  ///< this provider was configured and failed: the search ends

  /// Returns the result of a provider that is not configured.
  static ProviderResult none(std::string why) { return {.why = std::move(why)}; }
  /// Returns the result of a configured provider that failed.
  static ProviderResult failed(std::string why) { return {.why = std::move(why), .is_final = true}; }
  /// Returns `found`, or a failure if they are malformed.
  static ProviderResult of(Credentials found) {
    if (std::string fault = fault_of(found); !fault.empty()) return failed(std::move(fault));
    return {.credentials = std::move(found)};
  }
};

/// Makes an exchange with a credentials service. Repeats it by `options.retry`.
inline HttpReply exchange(const CredentialsOptions& options, HttpRequest request, std::chrono::milliseconds timeout) {
  request.body_limit = credentials_limit;
  Retries retries(options.retry);
  for (;;) {
    request.deadline = HttpRequest::Clock::now() + timeout;
    HttpReply reply = options.transport(request);
    if (reply.failure == HttpFailure::none && reply.status < 500 && reply.status != 429) return reply;
    const auto delay = retries.next();
    if (!delay) return reply;
    if (*delay > std::chrono::nanoseconds(0)) std::this_thread::sleep_for(*delay);
  }
}

/// Returns why `reply` is useless, for messages.
inline std::string trouble_of(const Url& url, const HttpReply& reply) {
  std::string text = url.scheme + "://" + url.authority();
  if (reply.failure == HttpFailure::none && reply.status != 0)
    return text + " answered with status " + std::to_string(reply.status);
  return text + " did not answer" + (reply.cause.empty() ? "" : " (" + escaped(reply.cause) + ")");
}

/// Returns whether `reply` is complete and its status is a success.
inline bool succeeded(const HttpReply& reply) {
  return reply.failure == HttpFailure::none && reply.status >= 200 && reply.status < 300;
}

/// Returns whether `text` is small and flat enough to be parsed. Brackets in strings count too, which is harmless.
inline bool is_small_json(std::string_view text) {
  constexpr std::size_t depth_limit = 16;
  std::size_t depth = 0;
  for (const char c : text) {
    if ((c == '{' || c == '[') && ++depth > depth_limit) return false;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return text.size() <= credentials_limit;
}

/// Returns the string `key` of `object`; empty if there is none.
inline std::string json_text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Parses the credentials that a program (which must say version 1) or a metadata service wrote. Messages repeat
/// nothing of `text` but the code of a service, without secrets: those in `text`, and the `token` that it was sent.
inline ProviderResult credentials_of_json(std::string_view text, std::string source, bool needs_version,
                                          std::string_view token = {}) {
  if (!is_small_json(text)) return ProviderResult::failed("the reply is too long or nested too deeply");
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_object()) return ProviderResult::failed("the reply is not a JSON object");
  if (const auto version = root.find("Version");
      needs_version && (version == root.end() || !version->is_number_integer() || version->get<std::int64_t>() != 1))
    return ProviderResult::failed("the reply's Version is not 1");
  Credentials found{.access_key_id = json_text_at(root, "AccessKeyId"),
                    .secret_access_key = json_text_at(root, "SecretAccessKey"),
                    .session_token = json_text_at(root, needs_version ? "SessionToken" : "Token"),
                    .source = std::move(source)};
  if (const std::string code = json_text_at(root, "Code"); !code.empty() && code != "Success") {
    Secrets secrets;
    secrets.add(found);
    secrets.add(token);
    return ProviderResult::failed("the service says " + in_quotes(secrets.removed_from(code).substr(0, 64)));
  }
  if (const std::string expires = json_text_at(root, "Expiration"); !expires.empty()) {
    found.expires = time_of_iso8601(expires);
    if (!found.expires) return ProviderResult::failed("the reply's Expiration is not a time");
  }
  return ProviderResult::of(std::move(found));
}

/// Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
inline ProviderResult environment_credentials(const CredentialsOptions& options) {
  Credentials found{.access_key_id = variable(options, "AWS_ACCESS_KEY_ID"),
                    .secret_access_key = variable(options, "AWS_SECRET_ACCESS_KEY"),
                    .session_token = variable(options, "AWS_SESSION_TOKEN"),
                    .source = "environment"};
  if (found.access_key_id.empty()) return ProviderResult::none("AWS_ACCESS_KEY_ID is not set");
  if (found.secret_access_key.empty())
    return ProviderResult::failed("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
  return ProviderResult::of(std::move(found));
}

/// Returns whether `host` is this machine.
inline bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

/// Returns whether ECS or EKS serves credentials at `host`.
inline bool is_container_host(const std::string& host) {
  in6_addr eks{}, given{};
  ::inet_pton(AF_INET6, "fd00:ec2::23", &eks);
  return host == "169.254.170.2" || host == "169.254.170.23" ||
         (::inet_pton(AF_INET6, host.c_str(), &given) == 1 && std::memcmp(&eks, &given, sizeof eks) == 0);
}

/// Asks the metadata service of a container (ECS, EKS Pod Identity, Greengrass) at
/// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. Uses http:// only for addresses that do not leave this machine.
/// Reads AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE each time.
inline ProviderResult container_credentials(const CredentialsOptions& options) {
  const std::string relative = variable(options, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = variable(options, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty())
    return ProviderResult::none("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
  if (!options.transport) return ProviderResult::failed("no HTTP transport was given");
  if (!relative.empty() && relative.front() != '/')
    return ProviderResult::failed("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");

  HttpRequest request;
  try {
    request.url = parse_url(relative.empty() ? full : "http://169.254.170.2" + relative);
  } catch (const Error&) {  // its message repeats the URL, which may hold a secret
    return ProviderResult::failed(std::string("AWS_CONTAINER_CREDENTIALS_") +
                                  (relative.empty() ? "FULL_URI" : "RELATIVE_URI") + " is not a URL");
  }
  const std::string& host = request.url.host;
  if (request.url.scheme != "https" && !is_loopback(host) && !is_container_host(host))
    return ProviderResult::failed("AWS_CONTAINER_CREDENTIALS_FULL_URI: http:// to " + in_quotes(host) +
                                  " is not safe; use https://");

  std::string token = variable(options, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string path = variable(options, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !path.empty()) {
    SmallFile file = read_small_file(path, credentials_limit);
    if (!file.why.empty()) return ProviderResult::failed("token file " + in_quotes(path) + ": " + file.why);
    token = std::move(file.text);
    if (token.ends_with('\n')) token.pop_back();
    if (token.ends_with('\r')) token.pop_back();
  }
  for (const char c : token)  // a line end would begin another header field
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      return ProviderResult::failed("the authorization token has line ends or control characters");
  if (!token.empty()) request.headers["authorization"] = token;
  request.headers["accept"] = "application/json";

  const HttpReply reply = exchange(options, request, options.metadata_timeout);
  if (!succeeded(reply)) return ProviderResult::failed(trouble_of(request.url, reply));
  return credentials_of_json(reply.body, "container", false, token);
}

/// Asks the metadata service of an EC2 machine for the credentials of its role, by IMDSv2 with a session token.
/// Respects AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT and AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE.
inline ProviderResult instance_credentials(const CredentialsOptions& options) {
  if (lower_case(variable(options, "AWS_EC2_METADATA_DISABLED")) == "true")
    return ProviderResult::none("AWS_EC2_METADATA_DISABLED is true");
  if (!options.transport) return ProviderResult::none("no HTTP transport was given");
  const std::string mode = lower_case(variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"));
  if (!mode.empty() && mode != "ipv4" && mode != "ipv6")
    return ProviderResult::failed("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6");
  std::string endpoint = variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) endpoint = mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  Url base;
  try {
    base = parse_url(endpoint);
  } catch (const Error&) {
    return ProviderResult::failed("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL");
  }
  while (base.path.ends_with('/')) base.path.pop_back();
  base.query.clear();

  const auto ask = [&](const char* method, const std::string& path, const char* header, const std::string& value) {
    HttpRequest request{.method = method, .url = base};
    request.url.path += path;
    request.headers[header] = value;
    return exchange(options, request, options.metadata_timeout);
  };
  constexpr const char* roles = "/latest/meta-data/iam/security-credentials/";
  HttpReply reply;
  for (int i = 0; i < 2; ++i) {  // a new session token may be refused
    reply = ask("PUT", "/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds", "21600");
    const std::string token = reply.body;
    if (!succeeded(reply)) return ProviderResult::none(trouble_of(base, reply));
    if (token.empty() || token.size() > 4096 || !is_visible_ascii(token))
      return ProviderResult::none(base.authority() + " replied with a malformed session token");

    reply = ask("GET", roles, "x-aws-ec2-metadata-token", token);
    if (reply.status == 401) continue;
    if (reply.status == 404) return ProviderResult::none("this machine has no role");
    if (!succeeded(reply)) return ProviderResult::failed(trouble_of(base, reply));
    const std::string role = reply.body.substr(0, reply.body.find_first_of("\r\n"));
    if (role.empty() || role.size() > 256) return ProviderResult::failed("the machine's role has no name");

    reply = ask("GET", roles + percent_encoded(role), "x-aws-ec2-metadata-token", token);
    if (reply.status == 401) continue;
    if (!succeeded(reply)) return ProviderResult::failed(trouble_of(base, reply));
    return credentials_of_json(reply.body, "instance", false, token);
  }
  return ProviderResult::failed(trouble_of(base, reply));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
