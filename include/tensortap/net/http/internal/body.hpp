// The two bodies of an exchange: the request's is written from where it lies, the reply's is read within its limits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The body of a request, written piece by piece. Lifetime: the pieces outlive it.
class BodySource {
 public:
  using Clock = HttpRequest::Clock;

  explicit BodySource(std::span<const Bytes> pieces) : pieces_(pieces) {
    for (const Bytes piece : pieces) size_ += piece.size();
  }

  /// Returns the size of the body. Units: bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Returns when bytes were last taken.
  [[nodiscard]] Clock::time_point moved_at() const noexcept { return moved_at_; }

  /// Calls `write(data, size)` with the next bytes from `offset` on. Joins small pieces, because each call is a system
  /// call and, without Nagle's algorithm, a packet of its own.
  template <class Write>
  void write(std::uint64_t offset, const Write& write) {
    if (offset < start_) start_ = next_ = 0;
    while (next_ < pieces_.size() && offset - start_ >= pieces_[next_].size()) start_ += pieces_[next_++].size();
    if (next_ == pieces_.size()) return;
    const Bytes rest = pieces_[next_].subspan(offset - start_);
    if (rest.size() >= few || next_ + 1 == pieces_.size()) {
      write(reinterpret_cast<const char*>(rest.data()), std::min(rest.size(), most));
    } else {
      joined_.assign(rest.begin(), rest.end());
      for (std::size_t i = next_ + 1; i < pieces_.size() && pieces_[i].size() + joined_.size() <= most; ++i) {
        if (pieces_[i].size() >= few) break;
        joined_.insert(joined_.end(), pieces_[i].begin(), pieces_[i].end());
      }
      write(reinterpret_cast<const char*>(joined_.data()), joined_.size());
    }
    moved_at_ = Clock::now();
  }

 private:
  /// Units: bytes.
  static constexpr std::size_t few = std::size_t{16} << 10;
  static constexpr std::size_t most = std::size_t{256} << 10;

  const std::span<const Bytes> pieces_;
  std::uint64_t size_ = 0;
  std::size_t next_ = 0;     ///< index of the current piece
  std::uint64_t start_ = 0;  ///< its offset in the body
  std::vector<std::byte> joined_;
  Clock::time_point moved_at_{};
};

/// Builds a reply from its status and headers, then from the pieces of its body.
class ReplyReader {
 public:
  using Clock = HttpRequest::Clock;

  explicit ReplyReader(const HttpRequest& request) : request_(request) {}

  /// Takes the head. Returns false if no more is needed: see failure() and is_whole().
  template <class Headers>
  bool begin(int status, const Headers& headers) {
    moved_at_ = Clock::now();
    has_begun_ = true;
    reply_.status = status;
    std::size_t size = 0, count = 0;
    for (const auto& [name, value] : headers) {
      size += name.size() + value.size();
      if (++count > most_headers || size > longest_head)
        return refuse(HttpFailure::too_large, "its header is too long");
      const auto [at, is_new] = reply_.headers.try_emplace(lower_case(name), value);
      if (!is_new) at->second += ", " + std::string(value);
    }
    if (status < 200 || status > 599) return refuse(HttpFailure::malformed, "its status is " + std::to_string(status));
    if (const std::string_view text = reply_.header("content-length"); !text.empty()) {
      length_ = whole_number(text);
      if (!length_) return refuse(HttpFailure::malformed, "its Content-Length is not one number");
    }
    if (request_.method == "HEAD" || status == 204 || status == 304) {
      is_whole_ = true;  // even if it has a Content-Length
      return false;
    }
    wants_sink_ = static_cast<bool>(request_.sink);
    if (!length_) return true;
    if (!wants_sink_ && *length_ > request_.body_limit) return refuse_body();
    return true;
  }

  /// Takes the next bytes of the body. Returns false if no more are needed. A sink gets larger pieces than httplib's
  /// 4 KiB.
  bool add(Bytes piece) {
    moved_at_ = Clock::now();
    if (!wants_sink_) return pass(piece);
    const bool is_success = reply_.status / 100 == 2;  // the text of a refusal is needed as a whole
    const bool is_last =
        is_success && (!length_ || *length_ > request_.sink_limit) && piece.size() >= request_.sink_limit - taken_;
    if (is_last) piece = piece.first(request_.sink_limit - taken_);
    taken_ += piece.size();
    if (gathered_.size() + piece.size() > most_gathered && !finish()) return false;
    gathered_.append(text_of(piece));
    if (!is_last) return true;
    is_whole_ = finish();
    return false;
  }

  /// Marks the end of the body. Returns false if the sink or a limit refuses it.
  bool finish() {
    const bool wanted = gathered_.empty() || pass(bytes_of(gathered_));
    gathered_.clear();
    return wanted;
  }

  /// Returns whether the head has come.
  [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
  /// Returns whether no more of the body is needed.
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
  /// Returns whether only the end of the connection ends the body.
  [[nodiscard]] bool ends_with_connection() const {
    return has_begun_ && !length_ && reply_.header("transfer-encoding").empty();
  }
  [[nodiscard]] bool is_chunked() const { return !is_whole_ && !reply_.header("transfer-encoding").empty(); }
  [[nodiscard]] HttpFailure failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& cause() const noexcept { return cause_; }
  /// Returns when bytes last came.
  [[nodiscard]] Clock::time_point moved_at() const noexcept { return moved_at_; }

  /// Throws: what the sink threw, if it threw.
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

  /// Moves out the reply as far as it has come.
  HttpReply take() { return std::move(reply_); }

 private:
  static constexpr std::size_t most_headers = 256;
  /// Units: bytes.
  static constexpr std::size_t longest_head = std::size_t{64} << 10;
  static constexpr std::size_t most_gathered = std::size_t{128} << 10;

  /// Passes `piece` to the sink or to the body of the reply.
  bool pass(Bytes piece) {
    try {
      if (wants_sink_) wants_sink_ = request_.sink(reply_, piece);
      if (wants_sink_) return true;
      if (piece.size() > request_.body_limit - reply_.body.size()) return refuse_body();
      if (reply_.body.empty() && length_)
        reply_.body.reserve(static_cast<std::size_t>(std::min(*length_, request_.body_limit)));
      reply_.body.append(text_of(piece));
      return true;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }

  bool refuse(HttpFailure failure, std::string cause) {
    failure_ = failure;
    cause_ = std::move(cause);
    return false;
  }
  bool refuse_body() {
    return refuse(HttpFailure::too_large,
                  "its body is longer than allowed (" + std::to_string(request_.body_limit) + " bytes)");
  }

  const HttpRequest& request_;
  HttpReply reply_;
  std::string gathered_;     ///< bytes that wait for the sink
  std::uint64_t taken_ = 0;  ///< bytes of the body meant for the sink
  std::optional<std::uint64_t> length_;
  Clock::time_point moved_at_{};
  bool has_begun_ = false;
  bool is_whole_ = false;
  bool wants_sink_ = false;
  HttpFailure failure_ = HttpFailure::none;
  std::string cause_;
  std::exception_ptr thrown_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
