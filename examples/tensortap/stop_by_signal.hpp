// Stops a copy on a signal and removes incomplete files. A second signal ends the program at once.
#pragma once

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <initializer_list>
#include <stop_token>
#include <thread>

namespace tensortap_command {

/// Requests a stop from its token on SIGINT, SIGTERM and SIGHUP. Threads: construct it before other threads start,
/// because they inherit the signal mask that blocks these signals.
class StopBySignal {
 public:
  StopBySignal() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    thread_ = std::thread([this] {
      const timespec interval{.tv_sec = 0, .tv_nsec = 50'000'000};
      while (!done_) {
        const int signal = ::sigtimedwait(&signals_, nullptr, &interval);
        if (signal > 0 && !source_.request_stop()) ::_exit(128 + signal);
      }
    });
  }
  StopBySignal(const StopBySignal&) = delete;
  StopBySignal& operator=(const StopBySignal&) = delete;
  ~StopBySignal() {
    done_ = true;
    thread_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  sigset_t signals_{}, before_{};
  std::stop_source source_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace tensortap_command
