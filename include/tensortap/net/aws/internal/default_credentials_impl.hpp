// Asks the providers of credentials in the order of AWS's tools.
#pragma once

#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/default_credentials.hpp>
#include <tensortap/net/aws/internal/profile_credentials.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/providers.hpp>
#include <tensortap/net/aws/internal/sts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE Credentials find_credentials(const CredentialsOptions& options) {
  if (options.given) {
    check_credentials(*options.given);
    return *options.given;
  }
  std::string tried;
  const auto found = [&](const std::string& provider, detail::ProviderResult (*ask)(const CredentialsOptions&)) {
    detail::ProviderResult result = ask(options);
    if (result.credentials) return std::move(result.credentials);
    tried += (tried.empty() ? "" : "; ") + provider + ": " + result.why;
    if (result.is_final) throw Error::no_credentials(tried);
    return std::move(result.credentials);
  };
  if (options.profile.empty())
    if (auto here = found("environment", detail::environment_credentials)) return *here;
  if (auto here = found("profile " + escaped(detail::profile_name(options)), detail::profile_credentials)) return *here;
  if (auto here = found("web identity", detail::web_identity_credentials)) return *here;
  if (auto here = found("container", detail::container_credentials)) return *here;
  if (auto here = found("instance", detail::instance_credentials)) return *here;
  throw Error::no_credentials(tried);
}

TENSORTAP_INLINE CredentialsSource default_credentials(CredentialsOptions options) {
  return [options = std::move(options)] { return find_credentials(options); };
}

TENSORTAP_END_NAMESPACE
