// The state of an Interruption: its subscription to signals, and the thread that watches for other notices.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/spot/internal/signal_subscription.hpp>
#include <tensortap/spot/interruption.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class InterruptionState {
 public:
  explicit InterruptionState(InterruptionOptions options)
      : options_(std::move(options)), subscription_(options_.signal_numbers, stop_, options_.grace) {
    if (options_.interval <= InterruptionOptions::Duration::zero())
      throw Error::bad_interruption("interval", "it is not positive; leave it out for one second");
    if (!options_.file.empty()) options_.file = absolute_path(std::move(options_.file));
    if (!options_.file.empty() || options_.poll) start_watching();
  }
  InterruptionState(const InterruptionState&) = delete;
  InterruptionState& operator=(const InterruptionState&) = delete;

  ~InterruptionState() {
    if (!wake_) return;
    if (fork_guard_.is_child() || watcher_.get_id() == std::this_thread::get_id()) {
      watcher_.detach();  // a forked child has no such thread; a poll that ends the program cannot wait for itself
    } else {
      ::eventfd_write(wake_.get(), 1);
      watcher_.join();
    }
  }

  [[nodiscard]] const StopSignal& signal() const noexcept { return stop_; }
  [[nodiscard]] std::uint64_t failed_polls() const noexcept { return failed_polls_; }

 private:
  void start_watching() {
    wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
    if (!wake_) throw Error::io("interruption: cannot watch", options_.file, std::generic_category().message(errno));
    watcher_ = start_thread([this] { watch(); });
  }

  void watch() {
    const auto interval = std::chrono::ceil<std::chrono::milliseconds>(options_.interval).count();
    pollfd wake{wake_.get(), POLLIN, 0};
    while (!look() && ::poll(&wake, 1, static_cast<int>(std::min<std::int64_t>(interval, INT_MAX))) == 0) {
    }
  }

  /// Requests the stop if there is a notice; returns whether there is one.
  bool look() {
    std::optional<InterruptionOptions::Duration> left;
    if (!options_.file.empty() && ::access(options_.file.c_str(), F_OK) == 0) left = options_.grace;
    try {
      if (!left && options_.poll) left = options_.poll();
    } catch (...) {  // a failed poll is no notice
      ++failed_polls_;
    }
    if (left) stop_.request(StopReason::notice, deadline_in(*left));
    return left.has_value();
  }

  InterruptionOptions options_;
  StopSignal stop_;
  SignalSubscription subscription_;
  std::atomic<std::uint64_t> failed_polls_ = 0;
  ForkGuard fork_guard_;
  Descriptor wake_;  // of the watcher, if there is one
  std::thread watcher_;
};

}  // namespace detail

TENSORTAP_INLINE Interruption::Interruption(InterruptionOptions options)
    : state_(std::make_unique<detail::InterruptionState>(std::move(options))) {}

TENSORTAP_INLINE Interruption::~Interruption() = default;

TENSORTAP_INLINE const StopSignal& Interruption::signal() const noexcept { return state_->signal(); }

TENSORTAP_INLINE std::uint64_t Interruption::failed_polls() const noexcept { return state_->failed_polls(); }

TENSORTAP_END_NAMESPACE
