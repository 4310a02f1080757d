// What finding credentials depends on, all of it replaceable, and what each link of the chain answers.
//
//   tensortap::CredentialsOptions options;
//   options.profile = "training";
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// The environment variable `name`; nothing if it is not set.
inline std::optional<std::string> environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace detail

/// How credentials are found.
struct CredentialsOptions {
  /// For STS and the metadata services of containers and machines. It must not send what is for loopback or link-local
  /// addresses through a proxy. Without one, these links have nothing.
  HttpTransport transport = {};
  /// A variable of the environment.
  std::function<std::optional<std::string>(const char* name)> environment = detail::environment_variable;
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  std::string profile = {};               ///< of the profile files; empty: AWS_PROFILE, else "default"
  std::string region = {};                ///< of STS; empty: AWS_REGION, AWS_DEFAULT_REGION, else the profile's
  std::optional<Credentials> given = {};  ///< these and no others

  std::chrono::milliseconds metadata_timeout = std::chrono::seconds(1);  ///< of a metadata service, each try
  std::chrono::milliseconds sts_timeout = std::chrono::seconds(10);      ///< of STS, each try
  std::chrono::milliseconds process_timeout = std::chrono::seconds(60);  ///< of a credential_process
  int tries = 2;                                                         ///< of an exchange
};

/// What a link of the chain says: credentials, or why it has none.
struct CredentialsAnswer {
  std::optional<Credentials> credentials = {};
  std::string why = {};   ///< there are none, for messages
  bool is_final = false;  ///< they were asked for here and cannot be had: nobody's else are taken in their place

  /// Nobody asked for any here.
  static CredentialsAnswer none(std::string why) { return {.why = std::move(why)}; }
  /// Somebody did.
  static CredentialsAnswer failed(std::string why) { return {.why = std::move(why), .is_final = true}; }
  /// `found`, unless they cannot be credentials.
  static CredentialsAnswer of(Credentials found) {
    if (std::string fault = detail::fault_of(found); !fault.empty()) return failed(std::move(fault));
    return {.credentials = std::move(found)};
  }
};

namespace detail {

/// A variable of the environment; empty if it is not set.
inline std::string variable(const CredentialsOptions& options, const char* name) {
  return options.environment ? options.environment(name).value_or("") : std::string();
}

/// The longest reply of any service that gives credentials. Units: bytes.
constexpr std::uint64_t credentials_limit = 64 << 10;

/// Makes an exchange, again if that may help.
inline HttpReply exchanged(const CredentialsOptions& options, HttpRequest request, std::chrono::milliseconds timeout) {
  HttpReply reply;
  request.body_limit = credentials_limit;
  for (int i = 0; i < options.tries; ++i) {
    request.deadline = HttpRequest::Clock::now() + timeout;
    reply = options.transport(request);
    if (reply.failure == HttpFailure::none && reply.status < 500 && reply.status != 429) break;
  }
  return reply;
}

/// Why `reply` is no use, for messages.
inline std::string trouble_of(const Url& url, const HttpReply& reply) {
  std::string text = url.scheme + "://" + url.authority();
  if (reply.failure == HttpFailure::none && reply.status != 0)
    return text + " answered with status " + std::to_string(reply.status);
  return text + " did not answer" + (reply.cause.empty() ? "" : " (" + escaped(reply.cause) + ")");
}

/// Whether `reply` is whole and says yes.
inline bool succeeded(const HttpReply& reply) {
  return reply.failure == HttpFailure::none && reply.status >= 200 && reply.status < 300;
}

}  // namespace detail

TENSORTAP_END_NAMESPACE
