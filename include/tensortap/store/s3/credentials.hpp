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

namespace tensortap::inline v0 {

/// What requests are signed with. Only `access_key_id` and `source` may appear in messages.
struct Credentials {
  std::string access_key_id = {};
  std::string secret_access_key = {};
  std::string session_token = {};  ///< of temporary ones
  std::optional<std::chrono::system_clock::time_point> expires = {};
  std::string source = "given";  ///< where they come from, for messages

  bool operator==(const Credentials&) const = default;
};

/// Where credentials come from. Throws: there are none. Threads: any, but not several at once.
using CredentialsSource = std::function<Credentials()>;

/// Refuses what cannot be credentials. Throws: no key or no secret; anything but visible ASCII, which could end a
/// header field.
inline void check_credentials(const Credentials& credentials) {
  const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
  const auto check = [&](std::string_view name, const std::string& value) {
    if (!std::all_of(value.begin(), value.end(), visible))
      throw Error::bad_credentials(credentials.source, std::string(name) + " has white space or other bytes");
  };
  if (credentials.access_key_id.empty()) throw Error::bad_credentials(credentials.source, "no access key");
  if (credentials.secret_access_key.empty()) throw Error::bad_credentials(credentials.source, "no secret access key");
  check("the access key", credentials.access_key_id);
  check("the secret access key", credentials.secret_access_key);
  check("the session token", credentials.session_token);
}

}  // namespace tensortap::inline v0
