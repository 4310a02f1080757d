// Credentials: an access key and its secret, which sign requests.
//
//   const tensortap::Credentials credentials{.access_key_id = "AKIDEXAMPLE", .secret_access_key = text};
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A key that signs requests. Only `access_key_id` and `source` may appear in messages.
struct Credentials {
  std::string access_key_id = {};
  std::string secret_access_key = {};
  std::string session_token = {};                                     ///< of temporary credentials
  std::optional<std::chrono::system_clock::time_point> expires = {};  ///< nullopt: unknown, taken as never
  std::string source = "given";                                       ///< their origin, for messages

  bool operator==(const Credentials&) const = default;
};

/// Returns credentials. Throws: there are none. Threads: any, but one at a time.
using CredentialsSource = std::function<Credentials()>;

namespace detail {

/// Returns whether `text` can stand in a header field unchanged.
bool is_visible_ascii(std::string_view text);

/// Returns why `credentials` are malformed, without a secret; empty if they are not.
std::string fault_of(const Credentials& credentials);

}  // namespace detail

/// Checks the form of `credentials`. Throws: no key, no secret, or bytes other than visible ASCII, which could end a
/// header field.
void check_credentials(const Credentials& credentials);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/aws/internal/credentials_impl.hpp>
#endif
