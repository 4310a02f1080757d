// Credentials from the profile files of AWS's tools: keys, a program that writes them, or a role. A credential_process
// runs a program: whoever can write these files decides which.
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/aws/internal/container_credentials.hpp>
#include <tensortap/net/aws/internal/credential_process.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/environment_credentials.hpp>
#include <tensortap/net/aws/internal/instance_credentials.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/sts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A profile among all of them.
class ProfileChain {
 public:
  explicit ProfileChain(const CredentialsOptions& options) : options_(options), files_(profile_files(options)) {}

  [[nodiscard]] const ProfileFiles& files() const noexcept { return files_; }

  /// The credentials of `profile`; only keys and the like if `role_is_used`, as a role may name its own profile as its
  /// source. `depth`: how many roles led here.
  [[nodiscard]] CredentialsAnswer of(const std::string& profile, bool role_is_used = false, int depth = 0) const {
    const std::string section = "profile " + profile;
    const std::string source = "profile " + escaped(profile);
    const auto value = [&](const char* key) { return files_.value(section, key); };
    if (files_.sections.find(section) == files_.sections.end())
      return CredentialsAnswer::none("no such profile in " + files_.where);
    if (!role_is_used && !value("role_arn").empty()) return of_role(profile, source, depth);
    if (const std::string key = value("aws_access_key_id"); !key.empty()) {
      if (value("aws_secret_access_key").empty())
        return CredentialsAnswer::failed("it has aws_access_key_id, but no aws_secret_access_key");
      return CredentialsAnswer::of({.access_key_id = key,
                                    .secret_access_key = value("aws_secret_access_key"),
                                    .session_token = value("aws_session_token"),
                                    .source = source});
    }
    for (const char* const key : {"sso_session", "sso_start_url", "sso_account_id"})
      if (!value(key).empty())
        return CredentialsAnswer::failed(
            "it signs on by SSO, which is not supported; let a profile with credential_process = aws configure "
            "export-credentials --profile NAME do that");
    if (const std::string command = value("credential_process"); !command.empty())
      return process_credentials(options_, command, source);
    return CredentialsAnswer::none("it has no credentials (" + files_.where + ")");
  }

 private:
  [[nodiscard]] CredentialsAnswer of_role(const std::string& profile, const std::string& source, int depth) const {
    constexpr int depth_limit = 5;
    const auto value = [&](const char* key) { return files_.value("profile " + profile, key); };
    const Role role{.arn = value("role_arn"),
                    .session_name = value("role_session_name"),
                    .external_id = value("external_id"),
                    .duration_seconds = value("duration_seconds")};
    if (const std::string path = value("web_identity_token_file"); !path.empty())
      return assumed_role_with_token(options_, files_, profile, role, path, source);
    if (!value("mfa_serial").empty())
      return CredentialsAnswer::failed("its role needs a code (mfa_serial), which is not supported");
    if (depth >= depth_limit) return CredentialsAnswer::failed("its source_profile leads through too many roles");

    const std::string from = value("source_profile");
    const std::string kind = value("credential_source");
    if (from.empty() == kind.empty())
      return CredentialsAnswer::failed("its role_arn needs either source_profile or credential_source");
    CredentialsAnswer signer;
    if (!from.empty())
      signer = of(from, from == profile, depth + 1);
    else if (kind == "Environment")
      signer = environment_credentials(options_);
    else if (kind == "EcsContainer")
      signer = container_credentials(options_);
    else if (kind == "Ec2InstanceMetadata")
      signer = instance_credentials(options_);
    else
      return CredentialsAnswer::failed("there is no credential_source " + in_quotes(kind));
    if (!signer.credentials)
      return CredentialsAnswer::failed(
          (from.empty() ? "credential_source " + kind : "source_profile " + escaped(from)) + ": " + signer.why);
    return assumed_role(options_, files_, profile, role, signer.credentials, source);
  }

  const CredentialsOptions& options_;
  ProfileFiles files_;
};

/// The credentials of the profile that the options or AWS_PROFILE name, else of "default".
inline CredentialsAnswer profile_credentials(const CredentialsOptions& options) {
  const detail::ProfileChain chain(options);
  CredentialsAnswer answer = chain.of(detail::profile_name(options));
  const bool is_named = !options.profile.empty() || !detail::variable(options, "AWS_PROFILE").empty();
  const bool is_there = chain.files().sections.contains("profile " + detail::profile_name(options));
  answer.is_final = answer.is_final || (is_named && !is_there);
  return answer;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
