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

#include <tensortap/store/http/message.hpp>
#include <tensortap/store/http/text.hpp>

namespace tensortap::inline v0 {

/// How failing requests are repeated.
struct S3Retry {
  int attempts = 10;  ///< of one request, the first among them
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds(50);
  std::chrono::nanoseconds longest_delay = std::chrono::seconds(20);
  /// Retries that may go wrong in a row, over all requests, before only first attempts are made: 5 a retry, 10 after a
  /// time-out; what succeeds gives them back. Source: the budget that botocore calls its retry quota.
  int budget = 500;
};

namespace detail::s3 {

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

}  // namespace detail::s3

}  // namespace tensortap::inline v0
