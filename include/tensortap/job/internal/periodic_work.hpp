// A thread that repeats a piece of work until it is destroyed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Repeats `work` with pauses of `interval`. The work reports its failures itself; what it throws is ignored.
class PeriodicWork {
 public:
  PeriodicWork(std::chrono::nanoseconds interval, std::function<void()> work)
      : interval_(interval), work_(std::move(work)), thread_(start_thread([this] { repeat(); })) {}
  PeriodicWork(const PeriodicWork&) = delete;
  PeriodicWork& operator=(const PeriodicWork&) = delete;

  /// Waits for the end of the work at hand.
  ~PeriodicWork() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void repeat() {
    std::unique_lock lock(mutex_);
    while (!done_) {
      lock.unlock();
      try {
        work_();
      } catch (...) {  // the next round tries again
      }
      lock.lock();
      changed_.wait_for(lock, interval_, [this] { return done_; });
    }
  }

  const std::chrono::nanoseconds interval_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
