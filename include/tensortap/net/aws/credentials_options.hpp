// Options of the search for credentials. Every outside dependency is a callable, so tests can replace it.
//
//   tensortap::CredentialsOptions options;
//   options.profile = "training";
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/retry_policy.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns the environment variable `name`; nullopt if it is not set.
inline std::optional<std::string> environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace detail

/// How credentials are found.
struct CredentialsOptions {
  /// The transport to STS and to the metadata services of containers and machines. It must not use a proxy for loopback
  /// and link-local addresses. Empty: these providers have no credentials.
  HttpTransport transport = {};
  /// Returns a variable of the environment.
  std::function<std::optional<std::string>(const char* name)> environment = detail::environment_variable;
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  std::string profile = {};               ///< in the profile files; empty: AWS_PROFILE, else "default"
  std::string region = {};                ///< of STS; empty: AWS_REGION, AWS_DEFAULT_REGION, else the profile's
  std::optional<Credentials> given = {};  ///< the only credentials to use

  std::chrono::milliseconds metadata_timeout = std::chrono::seconds(1);  ///< of a metadata service, each attempt
  std::chrono::milliseconds sts_timeout = std::chrono::seconds(10);      ///< of STS, each attempt
  std::chrono::milliseconds process_timeout = std::chrono::seconds(60);  ///< of a credential_process
  /// How an exchange that fails, or whose status is 429 or 500 and above, is repeated: once, without a delay.
  RetryPolicy retry = {.attempts = 2, .first_delay = std::chrono::nanoseconds(0)};
};

TENSORTAP_END_NAMESPACE
