// Objects removed, one or many with one request.
//
// Not for users: S3Store is the way in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// Removes `key`, if it is there.
inline void remove(Client& client, const std::string& key) {
  (void)client.call({.method = "DELETE", .key = key, .answers = {404}, .deadline = client.deadline()});
}

/// Removes those of `keys` that are there. Throws: some could not be.
inline void remove_all(Client& client, std::span<const std::string> keys) {
  constexpr std::size_t most = 1000;  // that S3 takes at once
  std::vector<std::string> sayable;
  for (const std::string& key : keys) {
    const bool has_controls = std::any_of(key.begin(), key.end(), [](unsigned char c) { return c < ' '; });
    if (has_controls)  // which XML does not have
      remove(client, key);
    else
      sayable.push_back(key);
  }
  for (std::size_t at = 0; at < sayable.size(); at += most) {
    const std::string document = delete_document(std::span(sayable).subspan(at, std::min(most, sayable.size() - at)));
    const Bytes body = bytes_of(document);
    ErrorReply refused;
    (void)client.call({.method = "POST",
                       .query = {{"delete", ""}},
                       .headers = {{"content-md5", md5_base64({&body, 1})}, {"content-type", "application/xml"}},
                       .body = {&body, 1},
                       .deadline = client.deadline(),
                       .read = [&](const HttpReply& reply) { refused = parse_delete(reply.body); }});
    if (!refused.code.empty())
      throw Error::s3_refused("DELETE s3://" + client.bucket(), 200, refused.code, refused.message, {}, {}, 1);
  }
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
