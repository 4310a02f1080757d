// Asks AWS's Security Token Service (STS) for the temporary credentials of a role.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pugixml.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/providers.hpp>
#include <tensortap/net/aws/internal/secrets.hpp>
#include <tensortap/net/aws/internal/sigv4.hpp>
#include <tensortap/net/aws/internal/time.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A role to assume.
struct AssumedRole {
  std::string arn = {};
  std::string session_name = {};        ///< empty: "tensortap-" and the time
  std::string external_id = {};         ///< optional
  std::string duration_seconds = {};    ///< optional
  std::string web_identity_token = {};  ///< replaces a signature
};

/// Returns the region of the STS to ask; empty if none is known.
inline std::string sts_region(const CredentialsOptions& options, const ProfileFiles& files,
                              const std::string& profile) {
  for (const std::string& region :
       {options.region, variable(options, "AWS_REGION"), variable(options, "AWS_DEFAULT_REGION"),
        files.value("profile " + profile, "region")})
    if (!region.empty()) return region;
  return {};
}

/// Parses the credentials in the XML of a reply. Messages repeat nothing of it but the code of an error.
inline ProviderResult credentials_of_xml(const HttpReply& reply, const Url& url, const std::string& action,
                                         std::string source, const Secrets& secrets) {
  pugi::xml_document document;
  const bool is_xml = document.load_buffer(reply.body.data(), reply.body.size());
  if (!succeeded(reply)) {
    std::string why = trouble_of(url, reply);
    const std::string code = document.child("ErrorResponse").child("Error").child_value("Code");
    const bool is_word = std::all_of(code.begin(), code.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    });
    if (!code.empty() && code.size() <= 64 && is_word) why += " (" + secrets.removed_from(code) + ")";
    return ProviderResult::failed(std::move(why));
  }
  const pugi::xml_node found =
      document.child((action + "Response").c_str()).child((action + "Result").c_str()).child("Credentials");
  if (!is_xml || !found) return ProviderResult::failed("the reply of " + url.authority() + " has no credentials");
  const auto expires = time_of_iso8601(found.child_value("Expiration"));
  if (!expires) return ProviderResult::failed("the Expiration in the reply of " + url.authority() + " is not a time");
  return ProviderResult::of({.access_key_id = found.child_value("AccessKeyId"),
                             .secret_access_key = found.child_value("SecretAccessKey"),
                             .session_token = found.child_value("SessionToken"),
                             .expires = *expires,
                             .source = std::move(source)});
}

/// Asks STS for the credentials of `role`, in a request signed by `signer` if there is one. The environment and the
/// profile may name the endpoint. A wrong clock is corrected once, by the server's.
inline ProviderResult assumed_role(const CredentialsOptions& options, const ProfileFiles& files,
                                   const std::string& profile, const AssumedRole& role,
                                   const std::optional<Credentials>& signer, std::string source) {
  if (!options.transport) return ProviderResult::failed("no HTTP transport was given");
  const std::string region = sts_region(options, files, profile);
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (!std::all_of(region.begin(), region.end(), plain))
    return ProviderResult::failed("the region " + in_quotes(region) + " is malformed");
  std::string endpoint = configured_endpoint_url(options, files, profile, "sts");
  if (endpoint.empty())
    endpoint = "https://sts." + (region.empty() ? "" : region + ".") + "amazonaws.com" +
               (region.starts_with("cn-") ? ".cn" : "");

  HttpRequest request{.method = "POST", .url = {}};
  try {
    request.url = parse_url(endpoint);
  } catch (const Error&) {
    return ProviderResult::failed("the endpoint of STS is not a URL");
  }
  if (request.url.scheme != "https" && !is_loopback(request.url.host))
    return ProviderResult::failed("http:// to " + in_quotes(request.url.host) + " is not safe; use https://");

  const std::string action = signer ? "AssumeRole" : "AssumeRoleWithWebIdentity";
  const auto now = std::chrono::floor<std::chrono::seconds>(options.clock());
  const std::string session =
      role.session_name.empty() ? "tensortap-" + std::to_string(now.time_since_epoch().count()) : role.session_name;
  std::string body = "Action=" + action + "&Version=2011-06-15";
  const std::pair<const char*, const std::string&> fields[] = {{"RoleArn", role.arn},
                                                               {"RoleSessionName", session},
                                                               {"ExternalId", role.external_id},
                                                               {"DurationSeconds", role.duration_seconds},
                                                               {"WebIdentityToken", role.web_identity_token}};
  for (const auto& [name, value] : fields)
    if (!value.empty()) body.append("&").append(name).append("=").append(percent_encoded(value));
  const Bytes piece = bytes_of(body);
  request.body = {&piece, 1};
  request.headers["content-type"] = "application/x-www-form-urlencoded";
  Secrets secrets;
  secrets.add(role.web_identity_token);
  const auto ask = [&](std::chrono::sys_seconds time) {
    if (signer) {
      sign(request, *signer, {.region = region.empty() ? "us-east-1" : region, .service = "sts", .time = time},
           sha256_hex(body));
      secrets.add(*signer);
    }
    return exchange(options, request, options.sts_timeout);
  };
  HttpReply reply = ask(now);
  const auto server = parse_http_date(reply.header("date"));
  constexpr std::chrono::minutes tolerated{5};  // STS tolerates 15
  const bool is_off = server && (*server > now + tolerated || *server < now - tolerated);
  if (signer && is_off && reply.failure == HttpFailure::none && reply.status / 100 == 4) reply = ask(*server);
  return credentials_of_xml(reply, request.url, action, std::move(source), secrets);
}

/// Asks STS for the credentials of `role`, by the token in the file at `path`, which is read each time.
inline ProviderResult assumed_role_with_token(const CredentialsOptions& options, const ProfileFiles& files,
                                              const std::string& profile, AssumedRole role, const std::string& path,
                                              std::string source) {
  SmallFile file = read_small_file(path, credentials_limit);
  if (!file.why.empty()) return ProviderResult::failed("token file " + in_quotes(path) + ": " + file.why);
  role.web_identity_token = trimmed(file.text);
  if (role.web_identity_token.empty()) return ProviderResult::failed("token file " + in_quotes(path) + " is empty");
  return assumed_role(options, files, profile, role, {}, std::move(source));
}

/// Asks STS for the credentials of AWS_ROLE_ARN, by the token of another identity provider in
/// AWS_WEB_IDENTITY_TOKEN_FILE, as Kubernetes gives one to its pods. AWS_ROLE_SESSION_NAME names the session.
inline ProviderResult web_identity_credentials(const CredentialsOptions& options) {
  const std::string path = variable(options, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string arn = variable(options, "AWS_ROLE_ARN");
  if (path.empty()) return ProviderResult::none("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  if (arn.empty()) return ProviderResult::failed("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
  const AssumedRole role{.arn = arn, .session_name = variable(options, "AWS_ROLE_SESSION_NAME")};
  return assumed_role_with_token(options, profile_files(options), profile_name(options), role, path, "web identity");
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
