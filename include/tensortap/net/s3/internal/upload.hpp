// Puts an object: whole, or in parallel parts if it is large. If a part fails for good, the upload is dropped.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// Returns the checksum of `pieces` as 8 digits. Calls `seen`, if set, for stretches of them.
inline std::string crc32c_text(std::span<const Bytes> pieces, const std::function<void(Bytes)>& seen = {}) {
  constexpr std::size_t stretch = std::size_t{8} << 20;
  std::uint32_t crc = 0;
  for (const Bytes piece : pieces)
    for (std::size_t at = 0; at < piece.size(); at += stretch) {
      const Bytes bytes = piece.subspan(at, std::min(stretch, piece.size() - at));
      crc = crc32c(bytes, crc);
      if (seen) seen(bytes);
    }
  return hex_of(crc);
}

/// Returns the size of all `pieces`. Units: bytes.
inline std::uint64_t total_size(std::span<const Bytes> pieces) {
  std::uint64_t size = 0;
  for (const Bytes piece : pieces) size += piece.size();
  return size;
}

/// Returns the `length` bytes of `pieces` from `at`, or fewer at their end.
inline std::vector<Bytes> slice(std::span<const Bytes> pieces, std::uint64_t at, std::uint64_t length) {
  std::vector<Bytes> out;
  for (const Bytes piece : pieces) {
    if (at >= piece.size()) {
      at -= piece.size();
      continue;
    }
    const std::uint64_t here = std::min<std::uint64_t>(piece.size() - at, length);
    if (here > 0) out.push_back(piece.subspan(at, here));
    length -= here;
    at = 0;
    if (length == 0) break;
  }
  return out;
}

/// One put of one object.
class PutOperation {
 public:
  PutOperation(Client& client, const std::string& key, std::span<const Bytes> pieces, IfExists if_exists,
               const TransferObserver& observer)
      : client_(client),
        key_(key),
        pieces_(pieces),
        keeps_(if_exists == IfExists::keep),
        observer_(observer),
        size_(total_size(pieces)) {
    metadata_[std::string(crc32c_field)] = crc32c_text(pieces, observer.seen);
    if (keeps_ || size_ > 2 * client.part_size()) metadata_[std::string(put_field)] = token_;
  }

  /// Returns false if the object exists and is kept.
  bool run() {
    if (size_ > 2 * client_.part_size()) return send_parts();
    Request request{.method = "PUT", .key = key_, .headers = metadata_, .body = pieces_, .deadline = deadline()};
    request.headers.merge(condition());
    if (keeps_) request.expected = {412};
    request.read = [](const HttpReply& reply) { require_fields(reply, {"ETag"}); };
    const bool is_ours = is_from_here(client_.call(request));
    if (is_ours) report_sent(pieces_);
    return is_ours;
  }

 private:
  [[nodiscard]] Request::Clock::time_point deadline() const { return client_.deadline(size_); }

  void report_sent(std::span<const Bytes> pieces) const {
    if (!observer_.sent) return;
    for (const Bytes piece : pieces) observer_.sent(piece);
  }

  [[nodiscard]] HttpHeaders condition() const { return keeps_ ? HttpHeaders{{"if-none-match", "*"}} : HttpHeaders{}; }

  /// Returns whether the object is from this put. One that "exists already" may be.
  [[nodiscard]] bool is_from_here(const S3Reply& result) const {
    return result.reply.status / 100 == 2 || is_put_by(client_, key_, token_);
  }

  bool send_parts() {
    if (keeps_ && head(client_, key_)) return false;  // saves a useless upload
    const Upload upload = begin_upload(client_, key_, metadata_);
    return or_abort(client_, upload, [&] {
      const std::uint64_t part = part_size_for(size_, client_.part_size());
      std::vector<std::string> etags((size_ + part - 1) / part);
      const auto until = deadline();
      parallel_for(etags.size(), client_.options().part_connections, [&](std::size_t i) {
        const std::vector<Bytes> bytes = slice(pieces_, i * part, part);
        Request request = part_request(upload, i + 1, until);
        request.body = bytes;
        request.read = [&](const HttpReply& reply) {
          require_fields(reply, {"ETag"});
          etags[i] = reply.header("etag");
        };
        (void)client_.call(request);
        report_sent(bytes);
      });
      const S3Reply result = complete(client_, upload, etags, condition(), until);
      if (is_from_here(result)) return true;
      if (result.reply.status != 412) throw upload_gone(client_, upload);
      abort(client_, upload);
      return false;
    });
  }

  Client& client_;
  const std::string& key_;
  std::span<const Bytes> pieces_;
  bool keeps_;
  const TransferObserver& observer_;
  std::uint64_t size_;
  std::string token_ = random_text();
  HttpHeaders metadata_;
};

/// Puts `pieces` as object `key`. Returns false if the object exists and is kept.
inline bool put(Client& client, const std::string& key, std::span<const Bytes> pieces, IfExists if_exists,
                const TransferObserver& observer = {}) {
  return PutOperation(client, key, pieces, if_exists, observer).run();
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
