// A request to stop, and by when: raised by a signal handler, a notice of interruption or a rule, read by the loop.
//
//   tensortap::StopSignal stop;
//   stop.request(tensortap::StopReason::rule);
//   if (stop.requested()) std::cout << to_string(stop.reason()) << '\n';
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Why the loop is to stop.
enum class StopReason : std::uint8_t { none, signal, notice, rule, user };

/// "signal", "notice" …
constexpr std::string_view to_string(StopReason reason) noexcept {
  constexpr std::string_view names[] = {"none", "signal", "notice", "rule", "user"};
  return names[static_cast<std::size_t>(reason)];
}

/// A request that many may raise and many may read; copies are the same one. The first reason stays, the earliest
/// deadline counts: who stops for a rule may still learn that the machine goes in a minute.
/// Threads: any. `request` may be called from a signal handler.
class StopSignal {
 public:
  using Clock = std::chrono::steady_clock;

  StopSignal() = default;
  StopSignal(const StopSignal&) = default;  // and no move: nothing may be left behind that cannot be asked
  StopSignal& operator=(const StopSignal&) = default;
  ~StopSignal() = default;

  /// Asks to stop before `deadline`. False if somebody had asked before, or `reason` is none.
  bool request(StopReason reason, Clock::time_point deadline = Clock::time_point::max()) noexcept {
    if (reason == StopReason::none) return false;
    std::int64_t before = word_->load();
    while (!word_->compare_exchange_weak(
        before, before == 0 ? word_of(reason, deadline)
                            : word_of(reason_of(before), std::min(deadline, deadline_of(before))))) {
    }
    return before == 0;
  }

  [[nodiscard]] bool requested() const noexcept { return word_->load() != 0; }
  [[nodiscard]] StopReason reason() const noexcept { return reason_of(word_->load()); }

  /// What is left until the deadline, at least zero; nothing if there is none.
  [[nodiscard]] std::optional<Clock::duration> time_left() const noexcept {
    const std::int64_t word = word_->load();
    if (word == 0 || deadline_of(word) == Clock::time_point::max()) return std::nullopt;
    return std::max(deadline_of(word) - Clock::now(), Clock::duration::zero());
  }

 private:
  // One word holds all, so that a handler that interrupts a thread in here never sees half of it: the deadline, whose
  // last three bits (8 ns) are the reason's. 0: nobody has asked.
  using Word = std::atomic<std::int64_t>;
  static constexpr std::int64_t reason_bits = 7;
  static_assert(Word::is_always_lock_free && std::is_same_v<Clock::rep, std::int64_t>);

  static constexpr std::int64_t word_of(StopReason reason, Clock::time_point deadline) noexcept {
    return (deadline.time_since_epoch().count() & ~reason_bits) | static_cast<std::int64_t>(reason);
  }
  static constexpr StopReason reason_of(std::int64_t word) noexcept {
    return static_cast<StopReason>(word & reason_bits);
  }
  static constexpr Clock::time_point deadline_of(std::int64_t word) noexcept {
    return Clock::time_point(Clock::duration(word | reason_bits));
  }

  std::shared_ptr<Word> word_ = std::make_shared<Word>(0);
};

TENSORTAP_END_NAMESPACE
