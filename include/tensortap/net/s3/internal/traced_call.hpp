// Tells a sink of phases of one call to S3.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/request.hpp>
#include <tensortap/phase.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// Returns the operation of a request, as S3 calls it. Lifetime: a literal.
inline std::string_view operation_of(const Request& request) {
  const auto has = [&](std::string_view name) {
    return std::any_of(request.query.begin(), request.query.end(), [&](const auto& one) { return one.first == name; });
  };
  const std::string_view method = request.method;
  if (method == "HEAD") return request.key.empty() ? "S3 HeadBucket" : "S3 HeadObject";
  if (method == "GET")
    return !request.key.empty() ? "S3 GetObject" : has("uploads") ? "S3 ListMultipartUploads" : "S3 ListObjectsV2";
  if (method == "PUT")
    return has("partNumber")                               ? "S3 UploadPart"
           : request.headers.contains("x-amz-copy-source") ? "S3 CopyObject"
                                                           : "S3 PutObject";
  if (method == "DELETE") return has("uploadId") ? "S3 AbortMultipartUpload" : "S3 DeleteObject";
  if (has("delete")) return "S3 DeleteObjects";
  return has("uploads") ? "S3 CreateMultipartUpload" : "S3 CompleteMultipartUpload";
}

/// A call from its construction to its destruction, with all its attempts and the delays between them. Says how many
/// bytes were sent and received, and no name: a key may tell more than a trace should. Without a sink it does nothing.
class TracedCall {
 public:
  TracedCall(PhaseSink* sink, const Request& request) : sink_(sink), request_(request) {
    if (sink_ != nullptr) begin_ = Phase::Clock::now();
  }
  TracedCall(const TracedCall&) = delete;
  TracedCall& operator=(const TracedCall&) = delete;
  ~TracedCall() {
    if (sink_ == nullptr) return;
    const auto sent = std::accumulate(request_.body.begin(), request_.body.end(), std::int64_t{0},
                                      [](std::int64_t sum, Bytes piece) { return sum + std::ssize(piece); });
    const std::array<PhaseNumber, 4> numbers = {
        {{"status", status_}, {"attempts", attempts_}, {"bytes_sent", sent}, {"bytes_received", received_}}};
    sink_->add({.name = operation_of(request_), .begin = begin_, .end = Phase::Clock::now(), .numbers = numbers});
  }

  /// Notes the reply of one more attempt.
  void add(const HttpReply& reply) noexcept {
    if (sink_ == nullptr) return;
    ++attempts_;
    status_ = reply.status;
    received_ =
        request_.method == "HEAD"
            ? 0
            : static_cast<std::int64_t>(whole_number(reply.header("content-length")).value_or(reply.body.size()));
  }

 private:
  PhaseSink* sink_;
  const Request& request_;
  Phase::Clock::time_point begin_;
  std::int64_t status_ = 0;  // of the last attempt; 0: it had no reply
  std::int64_t attempts_ = 0;
  std::int64_t received_ = 0;  // by the last attempt
};

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
