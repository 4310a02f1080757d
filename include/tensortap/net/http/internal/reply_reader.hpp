// Makes a reply of what comes in, within its limits. Not for users.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Takes a status with its headers, then the pieces of the body.
class ReplyReader {
 public:
  using Clock = HttpRequest::Clock;

  explicit ReplyReader(const HttpRequest& request) : request_(request) {}

  /// False if no more is wanted: see failure() and is_whole().
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
      is_whole_ = true;  // whatever its Content-Length says
      return false;
    }
    wants_sink_ = static_cast<bool>(request_.sink);
    if (!length_) return true;
    if (!wants_sink_ && *length_ > request_.body_limit) return refuse_body();
    return true;
  }

  /// The next bytes of the body; false if no more is wanted. A sink has them in larger pieces than httplib's 4 KiB.
  bool add(Bytes piece) {
    moved_at_ = Clock::now();
    if (!wants_sink_) return pass(piece);
    const bool is_last = (!length_ || *length_ > request_.sink_limit) && piece.size() >= request_.sink_limit - taken_;
    if (is_last) piece = piece.first(static_cast<std::size_t>(request_.sink_limit - taken_));
    taken_ += piece.size();
    if (gathered_.size() + piece.size() > most_gathered && !finish()) return false;
    gathered_.append(text_of(piece));
    if (!is_last) return true;
    is_whole_ = finish();
    return false;
  }

  /// Nothing more comes; false if that what has come is not wanted.
  bool finish() {
    const bool wanted = gathered_.empty() || pass(bytes_of(gathered_));
    gathered_.clear();
    return wanted;
  }

  [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
  /// Whether there is no body to come.
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
  /// Whether nothing but the end of the connection ends the body.
  [[nodiscard]] bool ends_with_connection() const {
    return has_begun_ && !length_ && reply_.header("transfer-encoding").empty();
  }
  [[nodiscard]] bool is_chunked() const { return !is_whole_ && !reply_.header("transfer-encoding").empty(); }
  [[nodiscard]] HttpFailure failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& cause() const noexcept { return cause_; }
  /// When something last came.
  [[nodiscard]] Clock::time_point moved_at() const noexcept { return moved_at_; }

  /// Throws: what the sink threw, if it did.
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

  /// What there is of the reply.
  HttpReply take() { return std::move(reply_); }

 private:
  static constexpr std::size_t most_headers = 256;
  /// Units: bytes.
  static constexpr std::size_t longest_head = std::size_t{64} << 10;
  static constexpr std::size_t most_gathered = std::size_t{128} << 10;

  /// Gives `piece` to whoever wants it.
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
  std::string gathered_;     ///< for the sink
  std::uint64_t taken_ = 0;  ///< for it, of the body
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
