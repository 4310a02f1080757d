// Credentials as programs and metadata services write them in JSON. Not for users.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/iso8601.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Whether `text` is small and flat enough to be parsed; what is in strings counts too, which does no harm.
inline bool is_small_json(std::string_view text) {
  constexpr std::size_t depth_limit = 16;
  std::size_t depth = 0;
  for (const char c : text) {
    if ((c == '{' || c == '[') && ++depth > depth_limit) return false;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return text.size() <= credentials_limit;
}

/// The string `key` of `object`; empty if there is none.
inline std::string json_text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The credentials in `text`, which a program wrote (then a version of 1 is needed) or a metadata service. No message
/// repeats any of it but a service's code.
inline CredentialsAnswer credentials_of_json(std::string_view text, std::string source, bool needs_version) {
  if (!is_small_json(text)) return CredentialsAnswer::failed("the reply is too long or nested too deeply");
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_object()) return CredentialsAnswer::failed("the reply is not a JSON object");
  if (const auto version = root.find("Version");
      needs_version && (version == root.end() || !version->is_number_integer() || version->get<std::int64_t>() != 1))
    return CredentialsAnswer::failed("the reply's Version is not 1");
  if (const std::string code = json_text_at(root, "Code"); !code.empty() && code != "Success")
    return CredentialsAnswer::failed("the service says " + in_quotes(code.substr(0, 64)));
  Credentials found{.access_key_id = json_text_at(root, "AccessKeyId"),
                    .secret_access_key = json_text_at(root, "SecretAccessKey"),
                    .session_token = json_text_at(root, needs_version ? "SessionToken" : "Token"),
                    .source = std::move(source)};
  if (const std::string expires = json_text_at(root, "Expiration"); !expires.empty()) {
    found.expires = time_of_iso8601(expires);
    if (!found.expires) return CredentialsAnswer::failed("the reply's Expiration is no time");
  }
  return CredentialsAnswer::of(std::move(found));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
