// Checks credentials.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

TENSORTAP_INLINE bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

TENSORTAP_INLINE std::string fault_of(const Credentials& credentials) {
  if (credentials.access_key_id.empty()) return "no access key";
  if (credentials.secret_access_key.empty()) return "no secret access key";
  constexpr const char* cause = " has white space or other bytes that no key has";
  if (!is_visible_ascii(credentials.access_key_id)) return std::string("the access key") + cause;
  if (!is_visible_ascii(credentials.secret_access_key)) return std::string("the secret access key") + cause;
  if (!is_visible_ascii(credentials.session_token)) return std::string("the session token") + cause;
  return {};
}

}  // namespace detail

TENSORTAP_INLINE void check_credentials(const Credentials& credentials) {
  if (const std::string fault = detail::fault_of(credentials); !fault.empty())
    throw Error::bad_credentials(credentials.source, fault);
}

TENSORTAP_END_NAMESPACE
