// An object received: in parts at once where it is large, each going on where it was cut, all of the same version, and
// compared with the checksum it was stored with.
//
// Not for users: S3Store is the way in.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/crc32c.hpp>
#include <tensortap/store/at_once.hpp>
#include <tensortap/store/http/date.hpp>
#include <tensortap/store/http/message.hpp>
#include <tensortap/store/s3/client.hpp>
#include <tensortap/store/s3/digest.hpp>
#include <tensortap/store/s3/object_head.hpp>
#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

/// Where the bytes of an object go. What these throw ends the download.
struct S3Target {
  /// Comes first, with the size of all. It comes again if the object was replaced meanwhile, or damaged on its way:
  /// then all that was written is void.
  std::function<void(std::uint64_t size)> begin = {};
  /// These bytes are those from `start` on. Threads: several at once, each for its own.
  std::function<void(std::uint64_t start, Bytes bytes)> write = {};
  /// The MD5 of all that was written, in hexadecimal digits: for objects that others have put.
  std::function<std::string()> md5 = {};
};

/// What came.
struct S3Received {
  std::uint64_t size = 0;
  std::chrono::sys_seconds last_modified = {};  ///< by the server's clock
};

namespace detail::s3 {

/// What "bytes 0-99/1000" says.
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t total = 0;
};

inline std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto total = number(text.substr(slash + 1));
  if (!first || !total) return std::nullopt;
  return ContentRange{*first, *total};
}

/// One download of one version of an object.
class Download {
 public:
  enum class Outcome { done, missing, replaced, corrupt };

  Download(Client& client, const std::string& key, Range range, const S3Target& target)
      : client_(client), key_(key), range_(range), target_(target) {}

  Outcome run() {
    const std::uint64_t part = client_.options().part_size;
    const std::uint64_t first = std::min(range_.length, 2 * part);
    std::vector<std::uint32_t> crcs(1);
    Outcome outcome = receive(0, first, true, crcs[0]);
    if (outcome != Outcome::done) return outcome;
    const std::uint64_t begin = std::min<std::uint64_t>(first, size_);
    const std::uint64_t count = (size_ - begin + part - 1) / part;
    const auto size_of = [&](std::size_t i) { return std::min<std::uint64_t>(part, size_ - begin - i * part); };
    crcs.resize(static_cast<std::size_t>(count) + 1);
    std::atomic<bool> replaced = false;
    for_each_at_once(static_cast<std::size_t>(count), client_.options().part_connections, [&](std::size_t i) {
      if (!replaced && receive(begin + i * part, size_of(i), false, crcs[i + 1]) != Outcome::done) replaced = true;
    });
    if (replaced) return Outcome::replaced;
    std::uint32_t crc = crcs[0];
    for (std::size_t i = 0; i < count; ++i)
      crc = crc32c_of_both(crc, crcs[i + 1], static_cast<std::size_t>(size_of(i)));
    return is_sound(crc) ? Outcome::done : Outcome::corrupt;
  }

  [[nodiscard]] S3Received received() const {
    const auto when = parse_http_date(head_.header("last-modified"));
    return {.size = size_, .last_modified = when.value_or(std::chrono::sys_seconds())};
  }

 private:
  /// Receives `length` bytes from `at`, both counted from the range's begin; the `first` ones tell how many there are.
  Outcome receive(std::uint64_t at, std::uint64_t length, bool first, std::uint32_t& crc) {
    std::uint64_t received = 0;
    Request request{.key = key_, .answers = {404, 412, 416}, .deadline = client_.deadline()};
    request.prepare = [&](HttpRequest& http) {
      const std::uint64_t begin = range_.start + at + received;
      http.headers["range"] = "bytes=" + std::to_string(begin) + "-" + std::to_string(range_.start + at + length - 1);
      if (!etag_.empty()) http.headers["if-match"] = etag_;
    };
    request.sink = [&](const HttpReply& head, Bytes piece) {
      if (head.status != 206) return false;
      if (first && etag_.empty() && !begin_with(head)) return false;
      const std::uint64_t end = std::min<std::uint64_t>(at + length, size_);
      const Bytes taken =
          piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(end - at - received, piece.size())));
      crc = crc32c(taken, crc);
      target_.write(at + received, taken);
      received += taken.size();
      return true;
    };
    request.read = [&](const HttpReply& reply) {
      if (reply.status != 206) throw Error::bad_reply("the server does not send parts of objects");
      const std::uint64_t end = std::min<std::uint64_t>(at + length, size_);
      if (received != end - at) throw Error::bad_reply("it is shorter than it says");
    };
    const HttpReply reply = client_.call(request).reply;
    if (reply.status == 404) return first ? Outcome::missing : Outcome::replaced;
    if (reply.status == 412) return Outcome::replaced;
    if (reply.status == 416) {  // there is nothing beyond `start`
      if (!first || received > 0) return Outcome::replaced;
      head_ = reply;
      target_.begin(0);
    }
    return Outcome::done;
  }

  /// Learns from the first reply which version this is, and how large. False if it does not say.
  bool begin_with(const HttpReply& head) {
    const auto range = parse_content_range(head.header("content-range"));
    if (!range || range->first != range_.start || range->total <= range_.start || head.header("etag").empty())
      return false;
    const std::uint64_t size = std::min(range_.length, range->total - range_.start);
    if (size > bytes_limit) return false;
    size_ = size;
    head_.headers = head.headers;
    total_ = range->total;
    target_.begin(size);
    etag_ = head.header("etag");
    return true;
  }

  [[nodiscard]] bool is_sound(std::uint32_t crc) const {
    if (!client_.options().verify_downloads || range_.start != 0 || size_ != total_) return true;
    if (const auto stored = number(head_.header(crc32c_field), 16)) return crc == *stored;
    const std::string_view encryption = head_.header("x-amz-server-side-encryption");
    const bool is_md5 = etag_.size() == 34 && etag_.find('-') == std::string::npos &&
                        (encryption.empty() || encryption == "AES256") &&
                        head_.header("x-amz-server-side-encryption-customer-algorithm").empty();
    return !is_md5 || "\"" + target_.md5() + "\"" == etag_;
  }

  static constexpr std::uint64_t bytes_limit = std::uint64_t{1} << 46;  // beyond what S3 keeps, or a machine has

  Client& client_;
  const std::string& key_;
  Range range_;
  const S3Target& target_;
  HttpReply head_;
  std::string etag_;  // set by the first piece that comes
  std::uint64_t total_ = 0;
  std::uint64_t size_ = 0;  // of what is received
};

/// Brings the bytes of `key` in `range` to `target`; nothing if it is not there.
inline std::optional<S3Received> receive(Client& client, const std::string& key, Range range, const S3Target& target) {
  constexpr std::uint64_t furthest = std::uint64_t{1} << 62;
  range.start = std::min(range.start, furthest);
  range.length = std::min(range.length, furthest);
  const auto name = [&] { return "GET s3://" + client.bucket() + "/" + key; };
  if (range.length == 0) {
    if (!head(client, key)) return std::nullopt;
    target.begin(0);
    return S3Received{};
  }
  constexpr int tries = 4;
  bool corrupt = false;
  for (int i = 0; i < tries; ++i) {
    Download download(client, key, range, target);
    switch (download.run()) {
      case Download::Outcome::done: return download.received();
      case Download::Outcome::missing: return std::nullopt;
      case Download::Outcome::replaced: corrupt = false; break;
      case Download::Outcome::corrupt: corrupt = true; break;
    }
  }
  if (corrupt) throw Error::s3_corrupt(name(), "another checksum, " + std::to_string(tries) + " times");
  throw Error::s3_unreachable(name(), "it is replaced faster than it can be read", "", tries);
}

/// The bytes of `key` in `range`; nothing if it is not there.
inline std::optional<std::vector<std::byte>> get(Client& client, const std::string& key, Range range) {
  std::vector<std::byte> out;
  const S3Target memory{
      .begin = [&](std::uint64_t size) { out.resize(static_cast<std::size_t>(size)); },
      .write = [&](std::uint64_t start, Bytes bytes) { std::memcpy(out.data() + start, bytes.data(), bytes.size()); },
      .md5 =
          [&] {
            const Bytes all = out;
            return md5_hex(std::span(&all, 1));
          }};
  if (!receive(client, key, range, memory)) return std::nullopt;
  return out;
}

}  // namespace detail::s3

}  // namespace tensortap::inline v0
