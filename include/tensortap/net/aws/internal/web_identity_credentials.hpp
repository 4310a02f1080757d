// Credentials of a role for the token of another identity provider, as Kubernetes gives one to its pods.
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/sts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The credentials of AWS_ROLE_ARN for the token in AWS_WEB_IDENTITY_TOKEN_FILE; AWS_ROLE_SESSION_NAME names the
/// session.
inline CredentialsAnswer web_identity_credentials(const CredentialsOptions& options) {
  const std::string path = detail::variable(options, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string arn = detail::variable(options, "AWS_ROLE_ARN");
  if (path.empty()) return CredentialsAnswer::none("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  if (arn.empty()) return CredentialsAnswer::failed("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
  const detail::Role role{.arn = arn, .session_name = detail::variable(options, "AWS_ROLE_SESSION_NAME")};
  return detail::assumed_role_with_token(options, detail::profile_files(options), detail::profile_name(options), role,
                                         path, "web identity");
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
