// What the header fields of an object say: its size, its checksum, who has put it.
//
// Not for users: S3Store is the way in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/client.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

// Kept with each object we put:
inline constexpr std::string_view crc32c_field = "x-amz-meta-tensortap-crc32c";  // of all its bytes, 8 digits
inline constexpr std::string_view put_field = "x-amz-meta-tensortap-put";        // a number nobody else draws
inline constexpr std::string_view lease_field = "x-amz-meta-tensortap-lease";    // of a claim, in seconds

/// The size of the object of a reply that holds all of it, or none. Throws: it does not say.
inline std::uint64_t content_length(const HttpReply& reply) {
  const auto length = whole_number(reply.header("content-length"));
  if (!length) throw Error::bad_reply("s3: a reply does not say how long the object is");
  return *length;
}

/// The header fields of object `key`; nothing if it is not there.
inline std::optional<HttpReply> head(Client& client, const std::string& key) {
  Answer answer = client.call({.method = "HEAD", .key = key, .answers = {404}, .deadline = client.deadline()});
  if (answer.reply.status == 404) return std::nullopt;
  return std::move(answer.reply);
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
