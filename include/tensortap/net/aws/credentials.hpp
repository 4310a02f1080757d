// Who asks: an access key and its secret, for signing requests.
//
//   const tensortap::Credentials credentials{.access_key_id = "AKIDEXAMPLE", .secret_access_key = text};
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What requests are signed with. Only `access_key_id` and `source` may appear in messages.
struct Credentials {
  std::string access_key_id = {};
  std::string secret_access_key = {};
  std::string session_token = {};                                     ///< of temporary ones
  std::optional<std::chrono::system_clock::time_point> expires = {};  ///< never, if nothing is known
  std::string source = "given";                                       ///< where they come from, for messages

  bool operator==(const Credentials&) const = default;
};

/// Where credentials come from. Throws: there are none. Threads: any, but one at a time.
using CredentialsSource = std::function<Credentials()>;

namespace detail {

/// Whether `text` can stand in a header field as it is.
inline bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// What is wrong with them, without a secret in it; empty if nothing is.
inline std::string fault_of(const Credentials& credentials) {
  if (credentials.access_key_id.empty()) return "no access key";
  if (credentials.secret_access_key.empty()) return "no secret access key";
  constexpr const char* cause = " has white space or other bytes that no key has";
  if (!is_visible_ascii(credentials.access_key_id)) return std::string("the access key") + cause;
  if (!is_visible_ascii(credentials.secret_access_key)) return std::string("the secret access key") + cause;
  if (!is_visible_ascii(credentials.session_token)) return std::string("the session token") + cause;
  return {};
}

}  // namespace detail

/// Refuses what cannot be credentials. Throws: no key or no secret; anything but visible ASCII, which could end a
/// header field.
inline void check_credentials(const Credentials& credentials) {
  if (const std::string fault = detail::fault_of(credentials); !fault.empty())
    throw Error::bad_credentials(credentials.source, fault);
}

TENSORTAP_END_NAMESPACE
