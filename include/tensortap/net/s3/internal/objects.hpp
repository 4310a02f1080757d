// Objects of a bucket: their header fields, removal, copies, and multipart uploads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/xml.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

// Metadata of each object that the library puts:
inline constexpr std::string_view crc32c_field = "x-amz-meta-tensortap-crc32c";  // of all its bytes, 8 digits
inline constexpr std::string_view put_field = "x-amz-meta-tensortap-put";        // a random number, unique to one put
inline constexpr std::string_view lease_field = "x-amz-meta-tensortap-lease";    // of a claim, in seconds

/// Returns the size of the object by a reply with all or none of its bytes. Throws: the reply has no size.
inline std::uint64_t content_length(const HttpReply& reply) {
  const auto length = whole_number(reply.header("content-length"));
  if (!length) throw Error::bad_reply("s3: a reply has no size of the object");
  return *length;
}

/// Returns the header fields of object `key`; nullopt if it does not exist.
inline std::optional<HttpReply> head(Client& client, const std::string& key) {
  S3Reply result = client.call(
      {.method = "HEAD", .key = key, .expected = {404}, .deadline = client.deadline(), .read = [](auto& reply) {
         require_fields(reply, {"ETag", "Last-Modified"});
       }});
  if (result.reply.status == 404) return std::nullopt;
  return std::move(result.reply);
}

/// Returns whether the object `key` was put with this `token`. So an object that "exists already" is the caller's own
/// if a request was carried out twice: the reply was lost, or something between repeated it.
inline bool is_put_by(Client& client, const std::string& key, std::string_view token) {
  const auto there = head(client, key);
  return there && there->header(put_field) == token;
}

/// Throws: `reply` does not say that something was removed.
inline void require_removed(const HttpReply& reply) {
  if (reply.status != 204 && !reply.body.empty()) throw Error::bad_reply("it is not the reply to a removal");
}

/// Removes `key` if it exists.
inline void remove(Client& client, const std::string& key) {
  (void)client.call(
      {.method = "DELETE", .key = key, .expected = {404}, .deadline = client.deadline(), .read = require_removed});
}

/// Removes those of `keys` that exist, up to 1000 in one request. Throws: an object was not removed.
inline void remove_all(Client& client, std::span<const std::string> keys) {
  constexpr std::size_t most = 1000;  // the limit of S3
  std::vector<std::string> plain;
  for (const std::string& key : keys) {
    const bool has_controls = std::any_of(key.begin(), key.end(), [](unsigned char c) { return c < ' '; });
    if (has_controls)  // XML cannot express them
      remove(client, key);
    else
      plain.push_back(key);
  }
  for (std::size_t at = 0; at < plain.size(); at += most) {
    const std::string document = delete_document(std::span(plain).subspan(at, std::min(most, plain.size() - at)));
    const Bytes body = bytes_of(document);
    ErrorReply refused;
    (void)client.call({.method = "POST",
                       .query = {{"delete", ""}},
                       .headers = {{"content-md5", md5_base64({&body, 1})}, {"content-type", "application/xml"}},
                       .body = {&body, 1},
                       .deadline = client.deadline(),
                       .read = [&](const HttpReply& reply) { refused = parse_delete(reply.body); }});
    if (!refused.code.empty())
      throw Error::s3_refused("DELETE s3://" + client.bucket(), 200, client.without_secrets(refused.code),
                              client.without_secrets(refused.message), {}, {}, 1);
  }
}

/// Returns the size of the parts of an object: `wanted`, or as many whole MiB as 10,000 parts need.
constexpr std::uint64_t part_size_for(std::uint64_t size, std::uint64_t wanted) noexcept {
  constexpr std::uint64_t most_parts = 10'000;
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  const std::uint64_t needed = (size + most_parts - 1) / most_parts;
  return std::max(wanted, (needed + mebibyte - 1) / mebibyte * mebibyte);
}

/// Ends a multipart upload and drops its parts, also after a stop was requested: they would stay for ever.
inline void abort(Client& client, const Upload& upload) {
  if (client.options().stop.stop_requested()) return abort(*client.after_stop(), upload);
  (void)client.call({.method = "DELETE",
                     .key = upload.key,
                     .query = {{"uploadId", upload.id}},
                     .expected = {404},
                     .deadline = client.deadline(),
                     .read = require_removed});
}

/// Returns the multipart uploads in progress, of keys that begin with `prefix`.
inline std::vector<Upload> list_uploads(Client& client, const std::string& prefix) {
  std::vector<Upload> out;
  Upload next;
  do {
    UploadsPage page;
    Request request{.query = {{"uploads", ""}, {"encoding-type", "url"}},
                    .deadline = client.deadline(),
                    .read = [&](const HttpReply& reply) { page = parse_uploads(reply.body); }};
    if (!prefix.empty()) request.query.emplace_back("prefix", prefix);
    if (!next.key.empty()) {
      request.query.emplace_back("key-marker", next.key);
      request.query.emplace_back("upload-id-marker", next.id);
    }
    (void)client.call(request);
    if (!page.next.key.empty() && page.next.key == next.key && page.next.id == next.id)
      throw Error::bad_reply("s3: " + client.bucket() + ": the pages of the list of uploads repeat");
    out.insert(out.end(), page.uploads.begin(), page.uploads.end());
    next = std::move(page.next);
  } while (!next.key.empty());
  return out;
}

/// Begins a multipart upload of an object with header fields `headers`.
inline Upload begin_upload(Client& client, const std::string& key, const HttpHeaders& headers) {
  Upload upload{key, {}};
  (void)client.call({.method = "POST",
                     .key = key,
                     .query = {{"uploads", ""}},
                     .headers = headers,
                     .deadline = client.deadline(),
                     .read = [&](const HttpReply& reply) {
                       upload.id = parse_one(reply.body, "InitiateMultipartUploadResult", "UploadId");
                     }});
  return upload;
}

/// Returns a request for part `number`, from 1, without its body.
inline Request part_request(const Upload& upload, std::size_t number, Request::Clock::time_point deadline) {
  return {.method = "PUT",
          .key = upload.key,
          .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.id}},
          .deadline = deadline};
}

/// Completes an upload, by the ETags of its parts in order. Returns also the statuses 404 (there is no such upload) and
/// 412 (the object exists).
inline S3Reply complete(Client& client, const Upload& upload, std::span<const std::string> etags, HttpHeaders headers,
                        Request::Clock::time_point deadline) {
  const std::string document = complete_document(etags);
  const Bytes body = bytes_of(document);
  headers["content-type"] = "application/xml";
  return client.call(
      {.method = "POST",
       .key = upload.key,
       .query = {{"uploadId", upload.id}},
       .headers = std::move(headers),
       .body = std::span(&body, 1),
       .expected = {404, 412},
       .may_hold_error = true,
       .deadline = deadline,
       .read = [](const HttpReply& reply) { (void)parse_one(reply.body, "CompleteMultipartUploadResult", "ETag"); }});
}

/// Returns the error for an upload that no longer exists.
inline Error upload_gone(const Client& client, const Upload& upload) {
  return Error::s3_refused("POST s3://" + client.bucket() + "/" + upload.key, 404, "NoSuchUpload",
                           "the upload was ended by another process", "", "", 1);
}

/// Calls `use`. If it throws, drops the parts of `upload`.
template <class Use>
auto or_abort(Client& client, const Upload& upload, const Use& use) {
  try {
    return use();
  } catch (...) {
    try {
      abort(client, upload);
    } catch (const Error&) {  // the next remove_unfinished() removes it
    }
    throw;
  }
}

/// Copies object `from`, with its metadata, to `to`. Returns false if there is no `from`.
inline bool copy(Client& client, const std::string& from, const std::string& to, std::uint64_t most_at_once) {
  const auto there = head(client, from);
  if (!there) return false;
  const std::uint64_t size = content_length(*there);
  const HttpHeaders source{{"x-amz-copy-source", percent_encoded("/" + client.bucket() + "/" + from, true)},
                           {"x-amz-copy-source-if-match", std::string(there->header("etag"))}};
  if (size <= most_at_once) {
    const S3Reply result =
        client.call({.method = "PUT",
                     .key = to,
                     .headers = source,
                     .expected = {404},
                     .may_hold_error = true,
                     .deadline = client.deadline(size),
                     .read = [](const HttpReply& reply) { (void)parse_one(reply.body, "CopyObjectResult", "ETag"); }});
    return result.reply.status != 404;
  }
  HttpHeaders kept;
  for (const auto& [name, value] : there->headers)
    if (name.starts_with("x-amz-meta-") || name == "content-type") kept[name] = value;
  const std::string token = random_text();
  kept[std::string(put_field)] = token;
  const Upload upload = begin_upload(client, to, kept);
  const std::uint64_t part = part_size_for(size, most_at_once);
  std::vector<std::string> etags((size + part - 1) / part);
  const auto until = client.deadline(size);
  or_abort(client, upload, [&] {
    parallel_for(etags.size(), client.options().part_connections, [&](std::size_t i) {
      Request request = part_request(upload, i + 1, until);
      request.headers = source;
      request.headers["x-amz-copy-source-range"] =
          "bytes=" + std::to_string(i * part) + "-" + std::to_string(std::min((i + 1) * part, size) - 1);
      request.may_hold_error = true;
      request.read = [&](const HttpReply& reply) { etags[i] = parse_one(reply.body, "CopyPartResult", "ETag"); };
      (void)client.call(request);
    });
    if (complete(client, upload, etags, {}, until).reply.status / 100 != 2 && !is_put_by(client, to, token))
      throw upload_gone(client, upload);
  });
  return true;
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
