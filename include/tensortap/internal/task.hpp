// A call that runs on another thread while others wait for it until a deadline. A waiter may abandon a task that hangs:
// the task owns all its state, so that it may outlive the waiter.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A call with an end to wait for. Threads: one calls run(); any may wait.
class Task {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Task(std::function<void()> call) : call_(std::move(call)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Runs the call, releases its state, keeps its exception, and wakes the waiters.
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

  /// Blocks until the end of the call. Returns false if `deadline` passes before the end.
  bool wait_until(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return ended_.wait_until(lock, deadline, [&] { return has_ended_; });
  }

  /// The same; returns false also if a stop is requested. A template, since libc++ before version 20 has no
  /// std::stop_token.
  template <class StopToken>
  bool wait_until(Clock::time_point deadline, const StopToken& stop) {
    std::unique_lock lock(mutex_);
    return ended_.wait_until(lock, stop, deadline, [&] { return has_ended_; });
  }

  /// Returns the exception of the call; null if there is none, or before the end.
  [[nodiscard]] std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  std::function<void()> call_;
  mutable std::mutex mutex_;  // guards the members below
  std::condition_variable_any ended_;
  std::exception_ptr failure_;
  bool has_ended_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
