// Notices that the machine will be taken away, by a signal, a file that appears or whatever you ask, and raises a stop
// signal for the loop. It does nothing else: what is to be saved then is the loop's business.
//
//   tensortap::Interruption notice({.grace = std::chrono::seconds(30), .file = "/run/stop"});
//   tensortap::StopSignal stop = notice.signal();
//   while (!stop.requested()) …
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/spot/internal/signal_subscription.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/internal/descriptor.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What announces the end of the machine.
struct InterruptionOptions {
  using Duration = StopSignal::Clock::duration;

  /// These signals do. Kubernetes, Slurm and the container services send SIGTERM, Slurm any that is asked for.
  std::vector<int> signals = {SIGTERM, SIGINT, SIGUSR1};

  /// The time from a signal or the file to the end.
  /// Source: EC2 announces a spot interruption two minutes ahead. Elsewhere it is less: 30 s on Google Cloud and Azure.
  Duration grace = std::chrono::seconds(120);

  /// So does a file with this path, as soon as it is there.
  std::string file = {};

  /// So does this, once it returns the time left; the address of a cloud's metadata is asked here. What it throws is
  /// counted and else ignored. Threads: called on a thread of its own, which the destructor waits for.
  std::function<std::optional<Duration>()> poll = {};

  /// How often `file` and `poll` are asked.
  Duration interval = std::chrono::seconds(1);
};

/// Raises a stop signal when the machine will be taken. Several may live at once; each has a signal of its own.
/// Handlers of signals that were there before are called too; the default action and SIG_IGN are suspended, save that a
/// second SIGINT ends a process that would have died of the first. All is restored with the last Interruption.
/// Threads: any; a forked child has signals alone and its own copy of the stop signal.
class Interruption {
 public:
  /// Throws: a signal that cannot be handled, an interval that is not positive.
  explicit Interruption(InterruptionOptions options = {})
      : options_(std::move(options)), subscription_(options_.signals, stop_, options_.grace) {
    if (options_.interval <= InterruptionOptions::Duration::zero())
      throw Error::bad_interruption("interval", "it is not positive; leave it out for one second");
    if (!options_.file.empty() || options_.poll) start_watching();
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  ~Interruption() {
    if (!wake_) return;
    if (owner_ == ::getpid()) {
      ::eventfd_write(wake_.get(), 1);
      watcher_.join();
    } else {
      watcher_.detach();  // a forked child has no such thread
    }
  }

  /// What is raised: the reason is `signal`, or `notice` for the file and the callable.
  [[nodiscard]] const StopSignal& signal() const noexcept { return stop_; }

  /// How often `poll` has thrown.
  [[nodiscard]] std::uint64_t failed_polls() const noexcept { return failed_polls_; }

 private:
  void start_watching() {
    wake_ = detail::Descriptor(::eventfd(0, EFD_CLOEXEC));
    if (!wake_) throw Error::io("interruption: cannot watch", options_.file, std::generic_category().message(errno));
    watcher_ = detail::start_thread([this] { watch(); });
  }

  void watch() {
    const auto interval = std::chrono::ceil<std::chrono::milliseconds>(options_.interval).count();
    pollfd wake{wake_.get(), POLLIN, 0};
    while (!look() && ::poll(&wake, 1, static_cast<int>(std::min<std::int64_t>(interval, INT_MAX))) == 0) {
    }
  }

  /// Whether the notice is there.
  bool look() {
    std::optional<InterruptionOptions::Duration> left;
    if (!options_.file.empty() && ::access(options_.file.c_str(), F_OK) == 0) left = options_.grace;
    try {
      if (!left && options_.poll) left = options_.poll();
    } catch (...) {  // no answer is no notice
      ++failed_polls_;
    }
    if (left) stop_.request(StopReason::notice, detail::deadline_in(*left));
    return left.has_value();
  }

  InterruptionOptions options_;
  StopSignal stop_;
  detail::SignalSubscription subscription_;
  std::atomic<std::uint64_t> failed_polls_ = 0;
  pid_t owner_ = ::getpid();
  detail::Descriptor wake_;  // of the watcher, if there is one
  std::thread watcher_;
};

TENSORTAP_END_NAMESPACE
