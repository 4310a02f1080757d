// Signals for several listeners at once, which earlier handlers of these signals receive too.
#pragma once

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the time after `left`, at most the last time that the clock can represent.
inline StopSignal::Clock::time_point deadline_in(StopSignal::Clock::duration left) noexcept {
  const auto now = StopSignal::Clock::now();
  const auto most = StopSignal::Clock::time_point::max() - now;
  return now + std::clamp(left, StopSignal::Clock::duration::zero(), most);
}

/// One listener. Never freed: a handler in any thread may be reading it at any time.
struct SignalListener {
  StopSignal stop;
  StopSignal::Clock::duration grace;
  std::uint64_t mask;  // bit n: signal n + 1
  SignalListener* next;
  std::atomic<bool> listens = true;
};

/// A signal that has listeners, and its earlier action.
struct HandledSignal {
  std::atomic<void (*)(int)> plain_handler = nullptr;
  std::atomic<void (*)(int, siginfo_t*, void*)> handler = nullptr;
  std::atomic<bool> was_default = false;
  std::atomic<bool> came = false;
  // The handler does not read the rest.
  struct sigaction earlier = {};
  int listeners = 0;
  bool installed = false;
};

/// The signals of this process.
struct Signals {
  std::atomic<SignalListener*> listeners = nullptr;
  std::array<HandledSignal, 64> handled = {};
  std::mutex mutex;  // guards all that the handler does not read
};
inline constinit Signals all_signals;

/// Notifies the listeners, then calls the earlier handler. The first signal does not end the process, so that the loop
/// can save its work. A second SIGINT does.
inline void on_signal(int number, siginfo_t* info, void* context) {
  const int error = errno;
  for (SignalListener* l = all_signals.listeners.load(); l != nullptr; l = l->next)
    if (l->listens && (l->mask >> (number - 1) & 1) != 0) l->stop.request(StopReason::signal, deadline_in(l->grace));
  HandledSignal& handled = all_signals.handled[static_cast<std::size_t>(number - 1)];
  if (const auto earlier = handled.handler.load()) earlier(number, info, context);
  if (const auto earlier = handled.plain_handler.load()) earlier(number);
  if (handled.came.exchange(true) && handled.was_default && number == SIGINT) {
    ::signal(number, SIG_DFL);
    ::raise(number);  // waits until this handler has returned
  }
  errno = error;
}

/// Requests a stop for each of the signals while it lives.
class SignalSubscription {
 public:
  SignalSubscription(const std::vector<int>& numbers, const StopSignal& stop, StopSignal::Clock::duration grace) {
    std::uint64_t mask = 0;
    for (const int number : numbers) {
      struct sigaction current {};
      if (number == SIGKILL || number == SIGSTOP || number < 1 || number > 64 ||
          ::sigaction(number, nullptr, &current) != 0)
        throw Error::bad_interruption(
            "signal_numbers", "signal " + std::to_string(number) + " cannot be handled; name others, such as SIGTERM");
      mask |= std::uint64_t{1} << (number - 1);
    }
    const std::lock_guard lock(all_signals.mutex);
    listener_ = new SignalListener{stop, grace, mask, all_signals.listeners.load()};
    all_signals.listeners = listener_;
    for_each_signal(install);
  }
  SignalSubscription(const SignalSubscription&) = delete;
  SignalSubscription& operator=(const SignalSubscription&) = delete;
  ~SignalSubscription() {
    const std::lock_guard lock(all_signals.mutex);
    for_each_signal(restore);  // first: a signal in between still has a listener
    listener_->listens = false;
  }

 private:
  void for_each_signal(void (*act)(int, HandledSignal&)) const {
    for (int number = 1; number <= 64; ++number)
      if ((listener_->mask >> (number - 1) & 1) != 0)
        act(number, all_signals.handled[static_cast<std::size_t>(number - 1)]);
  }

  static void install(int number, HandledSignal& handled) {
    if (handled.listeners++ > 0 || handled.installed) return;
    struct sigaction& earlier = handled.earlier;
    ::sigaction(number, nullptr, &earlier);
    const bool informed = (earlier.sa_flags & SA_SIGINFO) != 0;
    const bool function = informed || (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN);
    handled.handler = informed ? earlier.sa_sigaction : nullptr;
    handled.plain_handler = function && !informed ? earlier.sa_handler : nullptr;
    handled.was_default = !informed && earlier.sa_handler == SIG_DFL;
    handled.came = false;
    struct sigaction ours {};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    ::sigaction(number, &ours, nullptr);
    handled.installed = true;
  }

  /// Restores the earlier action. A handler that was installed over ours stays and may continue to call ours, which
  /// then only calls the earlier handler.
  static void restore(int number, HandledSignal& handled) {
    if (--handled.listeners > 0) return;
    struct sigaction current {};
    ::sigaction(number, nullptr, &current);
    const bool informed = (current.sa_flags & SA_SIGINFO) != 0;
    const bool ours = informed && current.sa_sigaction == on_signal;
    if (ours) ::sigaction(number, &handled.earlier, nullptr);
    handled.installed = !ours && (informed || (current.sa_handler != SIG_DFL && current.sa_handler != SIG_IGN));
  }

  SignalListener* listener_ = nullptr;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
