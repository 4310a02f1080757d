// Credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <string>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The credentials of the environment.
inline CredentialsAnswer environment_credentials(const CredentialsOptions& options) {
  Credentials found{.access_key_id = detail::variable(options, "AWS_ACCESS_KEY_ID"),
                    .secret_access_key = detail::variable(options, "AWS_SECRET_ACCESS_KEY"),
                    .session_token = detail::variable(options, "AWS_SESSION_TOKEN"),
                    .source = "environment"};
  if (found.access_key_id.empty()) return CredentialsAnswer::none("AWS_ACCESS_KEY_ID is not set");
  if (found.secret_access_key.empty())
    return CredentialsAnswer::failed("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
  return CredentialsAnswer::of(std::move(found));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
