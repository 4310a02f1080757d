// When a request is repeated, and how long it waits for that: exponential back-off with full jitter, so that many
// clients that failed together do not come back together, out of a budget, so that a server in trouble is not given
// several times its load.
//
// Not for users: S3Options says how.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/s3_retry.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// What all requests of a store may spend on retries. Threads: any.
class RetryBudget {
 public:
  explicit RetryBudget(int tokens) : limit_(tokens), left_(tokens) {}

  /// False if there is not enough left.
  bool take(int tokens) {
    const std::lock_guard lock(mutex_);
    if (tokens > left_) return false;
    left_ -= tokens;
    return true;
  }
  void give_back(int tokens) {
    const std::lock_guard lock(mutex_);
    left_ = std::min(left_ + tokens, limit_);
  }

 private:
  std::mutex mutex_;
  const int limit_;
  int left_;
};

/// How long the `retry`th retry waits, from 1, `jitter` of 0 to 1 being chance.
inline std::chrono::nanoseconds retry_delay(const S3Retry& options, int retry, double jitter) {
  const double longest = static_cast<double>(options.longest_delay.count());
  const double delay = std::ldexp(static_cast<double>(options.first_delay.count()), std::min(retry - 1, 40));
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(delay, longest) * std::clamp(jitter, 0.0, 1.0)));
}

/// What the server asks for in Retry-After (seconds), or x-amz-retry-after (milliseconds); nothing if it does not.
inline std::optional<std::chrono::nanoseconds> retry_after(const HttpReply& reply) {
  constexpr std::uint64_t longest = 1'000'000'000;
  const auto milliseconds = whole_number(reply.header("x-amz-retry-after"));
  if (milliseconds && *milliseconds <= longest) return std::chrono::milliseconds(*milliseconds);
  const auto seconds = whole_number(reply.header("retry-after"));
  if (seconds && *seconds <= longest) return std::chrono::seconds(*seconds);
  return std::nullopt;
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
