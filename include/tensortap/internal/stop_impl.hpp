// The state of a stop request. It is one atomic word, so that a signal handler that interrupts `request` on the same
// thread never sees half of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// The reason and the deadline in one word: the deadline in nanoseconds, with the reason in its last three bits.
class StopWord {
 public:
  using Clock = StopSignal::Clock;

  bool request(StopReason reason, Clock::time_point deadline) noexcept {
    if (reason == StopReason::none) return false;
    std::int64_t before = word_.load();
    while (!word_.compare_exchange_weak(
        before, before == 0 ? word_of(reason, deadline)
                            : word_of(reason_of(before), std::min(deadline, deadline_of(before))))) {
    }
    return before == 0;
  }

  [[nodiscard]] StopReason reason() const noexcept { return reason_of(word_.load()); }

  /// Returns the deadline; the end of time if there is none.
  [[nodiscard]] Clock::time_point deadline() const noexcept {
    const std::int64_t word = word_.load();
    return word == 0 ? Clock::time_point::max() : deadline_of(word);
  }

 private:
  static constexpr std::int64_t reason_bits = 7;
  static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::is_integral_v<Clock::rep> &&
                sizeof(Clock::rep) == sizeof(std::int64_t));

  static constexpr std::int64_t word_of(StopReason reason, Clock::time_point deadline) noexcept {
    return (deadline.time_since_epoch().count() & ~reason_bits) | static_cast<std::int64_t>(reason);
  }
  static constexpr StopReason reason_of(std::int64_t word) noexcept {
    return static_cast<StopReason>(word & reason_bits);
  }
  static constexpr Clock::time_point deadline_of(std::int64_t word) noexcept {
    return Clock::time_point(Clock::duration(word | reason_bits));
  }

  std::atomic<std::int64_t> word_ = 0;  // 0: no request
};

}  // namespace detail

TENSORTAP_INLINE StopSignal::StopSignal() : word_(std::make_shared<detail::StopWord>()) {}

TENSORTAP_INLINE bool StopSignal::request(StopReason reason, Clock::time_point deadline) noexcept {
  return word_->request(reason, deadline);
}

TENSORTAP_INLINE bool StopSignal::requested() const noexcept { return reason() != StopReason::none; }

TENSORTAP_INLINE StopReason StopSignal::reason() const noexcept { return word_->reason(); }

TENSORTAP_INLINE std::optional<StopSignal::Clock::duration> StopSignal::time_left() const noexcept {
  const Clock::time_point deadline = word_->deadline();
  if (deadline == Clock::time_point::max()) return std::nullopt;
  return std::max(deadline - Clock::now(), Clock::duration::zero());
}

TENSORTAP_END_NAMESPACE
