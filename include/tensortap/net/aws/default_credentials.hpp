// The credentials that AWS's own tools would find, in their order: given ones, the environment, the profile files
// (where a credential_process runs a program), a web identity, then a container's or the machine's role.
//
//   tensortap::CachedCredentials cached(tensortap::default_credentials({.transport = transport}));
#pragma once

#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/aws/internal/cached_credentials.hpp>
#include <tensortap/net/aws/internal/container_credentials.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/environment_credentials.hpp>
#include <tensortap/net/aws/internal/instance_credentials.hpp>
#include <tensortap/net/aws/internal/profile_credentials.hpp>
#include <tensortap/net/aws/internal/web_identity_credentials.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The first credentials of the chain. Where somebody asked for certain ones (a variable, a profile's entry) and they
/// cannot be had, nobody else's are taken. A profile named in the options goes before the environment.
/// Throws: there are none; the message says for each link why.
inline Credentials find_credentials(const CredentialsOptions& options) {
  if (options.given) {
    check_credentials(*options.given);
    return *options.given;
  }
  std::string tried;
  const auto found = [&](const std::string& link, CredentialsAnswer (*ask)(const CredentialsOptions&)) {
    CredentialsAnswer answer = ask(options);
    if (answer.credentials) return std::move(answer.credentials);
    tried += (tried.empty() ? "" : "; ") + link + ": " + answer.why;
    if (answer.is_final) throw Error::no_credentials(tried);
    return std::move(answer.credentials);
  };
  if (options.profile.empty())
    if (auto here = found("environment", detail::environment_credentials)) return *here;
  if (auto here = found("profile " + escaped(detail::profile_name(options)), detail::profile_credentials)) return *here;
  if (auto here = found("web identity", detail::web_identity_credentials)) return *here;
  if (auto here = found("container", detail::container_credentials)) return *here;
  if (auto here = found("instance", detail::instance_credentials)) return *here;
  throw Error::no_credentials(tried);
}

/// find_credentials() with these options, time and again.
inline CredentialsSource default_credentials(CredentialsOptions options = {}) {
  return [options = std::move(options)] { return find_credentials(options); };
}

TENSORTAP_END_NAMESPACE
