// A request to stop the training loop, with a deadline. A signal handler, an interruption notice or a rule makes it;
// the loop reads it.
//
//   tensortap::StopSignal stop;
//   stop.request(tensortap::StopReason::rule);
//   if (stop.requested()) std::cout << to_string(stop.reason()) << '\n';
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class StopWord;
}

/// Why the loop has to stop.
enum class StopReason : std::uint8_t { none, signal, notice, rule, user };

/// Returns the name: "signal", "notice" …
constexpr std::string_view to_string(StopReason reason) noexcept {
  constexpr std::string_view names[] = {"none", "signal", "notice", "rule", "user"};
  return names[static_cast<std::size_t>(reason)];
}

/// A handle of a stop request; copies share the request. The first reason and the earliest deadline count: after a rule
/// has requested a stop, an interruption notice may still shorten the time.
/// Threads: any. A signal handler may call `request`.
class StopSignal {
 public:
  using Clock = std::chrono::steady_clock;

  StopSignal();
  StopSignal(const StopSignal&) = default;  // there is no move: every handle stays valid
  StopSignal& operator=(const StopSignal&) = default;
  ~StopSignal() = default;

  /// Requests a stop before `deadline`. Returns false if a stop was requested before, or `reason` is none.
  bool request(StopReason reason, Clock::time_point deadline = Clock::time_point::max()) noexcept;

  [[nodiscard]] bool requested() const noexcept;
  [[nodiscard]] StopReason reason() const noexcept;

  /// Returns the time until the deadline, at least zero; nullopt if there is no deadline.
  [[nodiscard]] std::optional<Clock::duration> time_left() const noexcept;

 private:
  std::shared_ptr<detail::StopWord> word_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/stop_impl.hpp>
#endif
