// One call that runs on another thread, for which others wait until a deadline. A task that hangs is abandoned: it owns
// what it needs, so it may outlive those who wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <utility>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one calls run(); any wait.
class Task {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Task(std::function<void()> call) : call_(std::move(call)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Calls, releases what the call owns, keeps what it threw, and wakes those who wait.
  void run() noexcept {
    std::exception_ptr failure;
    try {
      call_();
    } catch (...) {
      failure = std::current_exception();
    }
    call_ = nullptr;
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    has_ended_ = true;
    ended_.notify_all();
  }

  /// Waits for the end of the call. Returns false if it has not ended by `deadline`, or `stop` was requested before.
  bool wait_until(Clock::time_point deadline, const std::stop_token& stop = {}) {
    std::unique_lock lock(mutex_);
    return ended_.wait_until(lock, stop, deadline, [&] { return has_ended_; });
  }

  /// What the call threw; null before its end.
  [[nodiscard]] std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  std::function<void()> call_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any ended_;
  std::exception_ptr failure_;
  bool has_ended_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
