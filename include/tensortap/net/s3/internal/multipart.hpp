// Objects made of parts: uploads begun, completed or dropped, and large objects copied.
//
// Not for users: S3Store is the way in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/object_head.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// The size of the parts of an object: `wanted`, or what makes 10,000 of them, in whole MiB.
constexpr std::uint64_t part_size_for(std::uint64_t size, std::uint64_t wanted) noexcept {
  constexpr std::uint64_t most_parts = 10'000;
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  const std::uint64_t needed = (size + most_parts - 1) / most_parts;
  return std::max(wanted, (needed + mebibyte - 1) / mebibyte * mebibyte);
}

/// Ends an upload in parts; what was sent of it is dropped.
inline void abort(Client& client, const Upload& upload) {
  (void)client.call({.method = "DELETE",
                     .key = upload.key,
                     .query = {{"uploadId", upload.id}},
                     .answers = {404},
                     .deadline = client.deadline()});
}

/// The uploads in parts under way, of keys that begin with `prefix`.
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
      throw Error::bad_reply("s3: " + client.bucket() + ": the list of uploads goes in circles");
    out.insert(out.end(), page.uploads.begin(), page.uploads.end());
    next = std::move(page.next);
  } while (!next.key.empty());
  return out;
}

/// Begins an object of parts that will have these header fields.
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

/// What a request for part `number`, from 1, begins with.
inline Request part_request(const Upload& upload, std::size_t number, Request::Clock::time_point deadline) {
  return {.method = "PUT",
          .key = upload.key,
          .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.id}},
          .deadline = deadline};
}

/// Makes one object of the parts, by their ETags in order. That it has gone (404), or the object is there (412), is an
/// answer.
inline Answer complete(Client& client, const Upload& upload, std::span<const std::string> etags, HttpHeaders headers,
                       Request::Clock::time_point deadline) {
  const std::string document = complete_document(etags);
  const Bytes body = bytes_of(document);
  headers["content-type"] = "application/xml";
  return client.call({.method = "POST",
                      .key = upload.key,
                      .query = {{"uploadId", upload.id}},
                      .headers = std::move(headers),
                      .body = std::span(&body, 1),
                      .answers = {404, 412},
                      .may_hold_error = true,
                      .deadline = deadline});
}

/// What there is to say when it has gone.
inline Error upload_gone(const Client& client, const Upload& upload) {
  return Error::s3_refused("POST s3://" + client.bucket() + "/" + upload.key, 404, "NoSuchUpload",
                           "the upload was ended by somebody else", "", "", 1);
}

/// Calls `use`; if it throws, what was sent of `upload` is dropped.
template <class Use>
auto or_abort(Client& client, const Upload& upload, const Use& use) {
  try {
    return use();
  } catch (...) {
    try {
      abort(client, upload);
    } catch (const Error&) {  // the next remove_unfinished() finds it
    }
    throw;
  }
}

/// Makes object `to` of the bytes of `from` and what is kept with them. False if there is no `from`.
inline bool copy(Client& client, const std::string& from, const std::string& to, std::uint64_t most_at_once) {
  const auto there = head(client, from);
  if (!there) return false;
  const std::uint64_t size = content_length(*there);
  const HttpHeaders source{{"x-amz-copy-source", percent_encoded("/" + client.bucket() + "/" + from, true)},
                           {"x-amz-copy-source-if-match", std::string(there->header("etag"))}};
  if (size <= most_at_once) {
    const Answer answer = client.call({.method = "PUT",
                                       .key = to,
                                       .headers = source,
                                       .answers = {404},
                                       .may_hold_error = true,
                                       .deadline = client.deadline(size)});
    return answer.reply.status != 404;
  }
  HttpHeaders kept;
  for (const auto& [name, value] : there->headers)
    if (name.starts_with("x-amz-meta-") || name == "content-type") kept[name] = value;
  const Upload upload = begin_upload(client, to, kept);
  const std::uint64_t part = part_size_for(size, most_at_once);
  std::vector<std::string> etags(static_cast<std::size_t>((size + part - 1) / part));
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
    if (complete(client, upload, etags, {}, until).reply.status / 100 != 2) throw upload_gone(client, upload);
  });
  return true;
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
