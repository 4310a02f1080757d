// Watches for the notice that the machine will be taken away: a signal, a file that appears, or the result of a
// callable. It only raises a stop signal; the loop reads that signal and saves what it needs.
//
//   tensortap::Interruption notice({.grace = std::chrono::seconds(30), .file = "/run/stop"});
//   tensortap::StopSignal stop = notice.signal();
//   while (!stop.requested()) …
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class InterruptionState;
}

/// The notices that an Interruption watches for.
struct InterruptionOptions {
  using Duration = StopSignal::Clock::duration;

  /// Signals that are notices. Kubernetes, Slurm and the container services send SIGTERM, Slurm any other on request.
  std::vector<int> signal_numbers = {SIGTERM, SIGINT, SIGUSR1};

  /// The time from a signal or the file until the machine is taken away.
  /// Source: EC2 announces a spot interruption two minutes ahead, Google Cloud and Azure 30 s.
  Duration grace = std::chrono::seconds(120);

  /// The path of a file whose existence is a notice. A relative one begins at the working directory of the beginning.
  std::string file = {};

  /// Returns the time left once there is a notice, for example by a request to a cloud's metadata service. Exceptions
  /// are counted and otherwise ignored. Threads: called on a thread of its own, which the destructor joins.
  std::function<std::optional<Duration>()> poll = {};

  /// The time between two checks of `file` and `poll`.
  Duration interval = std::chrono::seconds(1);
};

/// Raises a stop signal when a notice comes. Several objects may exist at once; each has its own stop signal. Earlier
/// handlers of the signals are still called. The default action and SIG_IGN are suspended, except that a second SIGINT
/// ends the process if the default action was set. The last object restores the earlier handlers and actions.
/// Threads: any; a forked child reacts to signals only and has its own copy of the stop signal.
class Interruption {
 public:
  /// Throws: a signal that cannot be handled, an interval that is not positive.
  explicit Interruption(InterruptionOptions options = {});
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  /// Returns the stop signal; its reason is `signal`, or `notice` for the file and the callable.
  [[nodiscard]] const StopSignal& signal() const noexcept;

  /// Returns how often `poll` has thrown.
  [[nodiscard]] std::uint64_t failed_polls() const noexcept;

 private:
  std::unique_ptr<detail::InterruptionState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/spot/internal/interruption_impl.hpp>
#endif
