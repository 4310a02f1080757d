// Gets an object, in parallel parts if it is large. A part that was cut continues where it ended; all parts are of the
// same version; the bytes are compared with the checksum stored with the object.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// The first byte and the size of the object in "bytes 0-99/1000".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t total = 0;
};

/// Parses a Content-Range. Returns nullopt if it is malformed.
inline std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = whole_number(text.substr(0, dash));
  const auto total = whole_number(text.substr(slash + 1));
  if (!first || !total) return std::nullopt;
  return ContentRange{*first, *total};
}

/// One download of one version of an object.
class Download {
 public:
  enum class Outcome { done, missing, replaced, corrupt };

  /// An empty `etag` means any version.
  Download(Client& client, const std::string& key, Range range, const DownloadTarget& target, std::string etag)
      : client_(client), key_(key), range_(range), target_(target), etag_(std::move(etag)) {}

  /// Receives the first part, whose reply has the size of the object, then the other parts.
  Outcome run() {
    const std::size_t connections = client_.options().part_connections;
    const std::uint64_t part = client_.part_size();
    Stretch first{0, std::min(range_.length, connections == 1 ? part : 2 * part)};
    if (const Outcome outcome = receive(first, true); outcome != Outcome::done) return outcome;
    std::vector<Stretch> rest;
    for (std::uint64_t at = first.length; at < size_; at += part) rest.push_back({at, std::min(part, size_ - at)});
    std::atomic<bool> replaced = false;
    // An MD5 needs the bytes in order.
    parallel_for(rest.size(), md5_ ? 1 : connections, [&](std::size_t i) {
      if (!replaced && receive(rest[i], false) != Outcome::done) replaced = true;
    });
    if (replaced) return Outcome::replaced;
    std::uint32_t crc = first.crc;
    for (const Stretch& stretch : rest) crc = crc32c_of_both(crc, stretch.crc, stretch.length);
    if (stored_crc_ && crc != *stored_crc_) return Outcome::corrupt;
    return md5_ && "\"" + hex_of(md5_->finish()) + "\"" != etag_ ? Outcome::corrupt : Outcome::done;
  }

  /// Returns the number of bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  struct Stretch {
    std::uint64_t at = 0;
    std::uint64_t length = 0;  // of the first one: corrected when the size is known
    std::uint32_t crc = 0;
  };

  /// Receives one stretch. Takes the size of the object from the reply if the stretch is the `first` one.
  Outcome receive(Stretch& stretch, bool first) {
    std::uint64_t received = 0;
    Request request{.key = key_, .expected = {404, 412, 416}, .deadline = client_.deadline(first ? 0 : stretch.length)};
    // Without a Range header, Ceph reads an object with one access less. A longer object is cut off after the stretch.
    constexpr std::uint64_t worth_a_connection = std::uint64_t{1} << 20;
    const bool may_ask_for_all = first && range_.start == 0 && stretch.length >= worth_a_connection;
    bool asks_for_all = false;
    std::uint64_t asked_from = 0;
    const auto is_usable = [&](const HttpReply& head) {
      if (asks_for_all && head.status == 200) return true;
      const auto range = parse_content_range(head.header("content-range"));
      return head.status == 206 && range && range->first == asked_from &&
             (etag_.empty() || head.header("etag") == etag_);
    };
    request.prepare = [&](HttpRequest& http) {
      if (!etag_.empty()) http.headers["if-match"] = etag_;
      http.sink_limit = stretch.length - received;
      asks_for_all = may_ask_for_all && received == 0;
      const std::uint64_t begin = range_.start + stretch.at;
      asked_from = begin + received;
      if (asks_for_all) return;
      http.headers["range"] = "bytes=" + std::to_string(asked_from) + "-" + std::to_string(begin + stretch.length - 1);
    };
    request.sink = [&](const HttpReply& head, Bytes piece) {
      if (!is_usable(head)) return false;
      if (first && !has_begun_ && !begin_with(head, stretch)) return false;
      const Bytes wanted = piece.first(std::min<std::uint64_t>(piece.size(), stretch.length - received));
      if (stored_crc_) stretch.crc = crc32c(wanted, stretch.crc);
      if (md5_) md5_->add(wanted);
      target_.write(stretch.at + received, wanted);
      received += wanted.size();
      return true;
    };
    request.read = [&](const HttpReply& reply) {
      if (!is_usable(reply)) throw Error::bad_reply("it is not the range of the object that was asked for");
      if (first && !has_begun_ && !begin_with(reply, stretch))
        throw Error::bad_reply("it lacks the range, size or ETag of the object");
      if (received != stretch.length) throw Error::bad_reply("it is shorter than announced");
    };
    const HttpReply reply = client_.call(request).reply;
    if (reply.status == 404) return first && !has_begun_ ? Outcome::missing : Outcome::replaced;
    if (reply.status == 412) return Outcome::replaced;
    if (reply.status == 416) {  // the object ends before `start`
      if (!first || received > 0) return Outcome::replaced;
      stretch.length = 0;
      target_.begin(0);
    }
    return Outcome::done;
  }

  /// Takes version and size from the first reply. Returns false if they are missing.
  bool begin_with(const HttpReply& head, Stretch& first) {
    constexpr std::uint64_t limit = std::uint64_t{1} << 46;  // more than S3 stores, or a machine has
    auto range = parse_content_range(head.header("content-range"));
    if (const auto length = whole_number(head.header("content-length")); head.status == 200 && length)
      range = {0, *length};
    if (!range || range->first != range_.start || (range->total <= range_.start && range->total > 0) ||
        range->total > limit || head.header("etag").empty())
      return false;
    size_ = std::min(range_.length, range->total - range_.start);
    first.length = std::min(first.length, size_);
    etag_ = head.header("etag");
    has_begun_ = true;
    if (client_.options().verify_downloads && size_ == range->total) {
      if (const auto crc = whole_number(head.header(crc32c_field), 16))
        stored_crc_ = static_cast<std::uint32_t>(*crc);
      else if (has_md5(head))
        md5_.emplace();
    }
    target_.begin(size_);
    return true;
  }

  /// Returns whether the ETag is the MD5 of the bytes. Objects from multipart uploads, or encrypted with a key of the
  /// key service, have other ETags.
  [[nodiscard]] bool has_md5(const HttpReply& head) const {
    const std::string_view encryption = head.header("x-amz-server-side-encryption");
    return etag_.size() == 34 && etag_.find('-') == std::string::npos &&
           (encryption.empty() || encryption == "AES256") &&
           head.header("x-amz-server-side-encryption-customer-algorithm").empty();
  }

  Client& client_;
  const std::string& key_;
  Range range_;
  const DownloadTarget& target_;
  std::string etag_;  // empty: any, until the first reply comes
  // Set by the first reply:
  bool has_begun_ = false;
  std::uint64_t size_ = 0;
  std::optional<std::uint32_t> stored_crc_;
  std::optional<Md5> md5_;
};

/// Writes the bytes of `key` in `range` to `target` and returns their number. Returns nullopt if the object does not
/// exist, or is not the version `etag`.
inline std::optional<std::uint64_t> download(Client& client, const std::string& key, Range range,
                                             const DownloadTarget& target, const std::string& etag = {}) {
  constexpr int tries = 4;
  constexpr std::uint64_t furthest = std::uint64_t{1} << 62;
  range.start = std::min(range.start, furthest);
  range.length = std::min(range.length, furthest);
  if (range.length == 0) {
    if (!head(client, key)) return std::nullopt;
    target.begin(0);
    return 0;
  }
  Download::Outcome outcome{};
  for (int i = 0; i < tries; ++i) {
    Download download(client, key, range, target, etag);
    outcome = download.run();
    if (outcome == Download::Outcome::done) return download.size();
    if (outcome == Download::Outcome::missing || (outcome == Download::Outcome::replaced && !etag.empty()))
      return std::nullopt;
  }
  const std::string name = "GET s3://" + client.bucket() + "/" + key;
  if (outcome == Download::Outcome::corrupt)
    throw Error::s3_corrupt(name, "another checksum, " + std::to_string(tries) + " times");
  throw Error::s3_keeps_changing(name, tries);
}

/// Returns the bytes of `key` in `range`. Returns nullopt if the object does not exist, or is not the version `etag`.
inline std::optional<std::vector<std::byte>> get(Client& client, const std::string& key, Range range,
                                                 const std::string& etag = {}) {
  std::vector<std::byte> bytes;
  const DownloadTarget target{.begin = [&](std::uint64_t size) { bytes.resize(size); },
                              .write =
                                  [&](std::uint64_t at, Bytes piece) {
                                    std::copy(piece.begin(), piece.end(),
                                              bytes.begin() + static_cast<std::ptrdiff_t>(at));
                                  }};
  if (!download(client, key, range, target, etag)) return std::nullopt;
  return bytes;
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
