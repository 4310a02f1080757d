// Repeats failing calls: computes the delay before each attempt and decides when to give up. All retries of the library
// use this header.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/retry_policy.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The attempts of one call and the sum of the delays between them.
class Retries {
 public:
  explicit Retries(const RetryPolicy& policy) : policy_(policy) {}

  /// Counts the next attempt and returns the delay before it; nullopt if the policy allows no other attempt. `jitter`,
  /// from 0 to 1, scales the delay. The delay is at least `asked`, as far as the policy allows that.
  std::optional<std::chrono::nanoseconds> next(double jitter = 1, std::chrono::nanoseconds asked = {}) {
    if (attempts_ >= policy_.attempts) return std::nullopt;
    const auto longest = static_cast<double>(policy_.longest_delay.count());
    const double doubled = std::ldexp(static_cast<double>(policy_.first_delay.count()), std::min(attempts_ - 1, 40));
    const double scaled = std::min(doubled, longest) * std::clamp(jitter, 0.0, 1.0);
    const std::chrono::nanoseconds own(static_cast<std::int64_t>(scaled)), left = policy_.for_at_most - waited_;
    if (own > left) return std::nullopt;
    const auto delay = std::max(own, std::min({asked, policy_.longest_delay, left}));
    ++attempts_;
    waited_ += delay;
    return delay;
  }

  /// Returns the number of attempts so far, the first one included.
  [[nodiscard]] int attempts() const noexcept { return attempts_; }
  /// Returns the sum of the delays so far.
  [[nodiscard]] std::chrono::nanoseconds waited() const noexcept { return waited_; }

 private:
  const RetryPolicy policy_;
  int attempts_ = 1;
  std::chrono::nanoseconds waited_{};
};

/// Returns the result of `call`. Repeats the call while it throws Errc::io, `retries` allows another attempt, and
/// `wait(delay)` returns true after the delay. Throws: the last error.
template <class Call, class Wait>
auto retry(Retries& retries, const Call& call, const Wait& wait) {
  for (;;) {
    try {
      return call();
    } catch (const Error& e) {
      if (e.code() != Errc::io) throw;
      const auto delay = retries.next();
      if (!delay || !wait(*delay)) throw;
    }
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
