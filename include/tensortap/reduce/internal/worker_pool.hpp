// Threads that help to reduce large tensors. They start when first needed, sleep in between, and live as long as the
// process.
//
//   WorkerPool::instance().run(parts, 4, [&](std::size_t i) { results[i] = f(i); });
//
// internal/parallel_for.hpp shares no threads with it: calls to a store block, so they would keep the pool from
// reductions, and each caller there gets all threads it asks for, where this pool helps one caller at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any. The pool helps one caller at a time; other callers, and a forked child, do all work themselves.
class WorkerPool {
 public:
  using Task = std::function<void(std::size_t)>;

  /// Never destroyed: threads may still reduce while the program ends.
  static WorkerPool& instance() {
    static WorkerPool& pool = *new WorkerPool;
    return pool;
  }

  /// Calls `task(i)` for each i below `count`, in this thread and at most `threads` - 1 others. `task` must not throw.
  void run(std::size_t count, int threads, const Task& task) {
    const auto helpers = static_cast<std::size_t>(std::clamp(threads - 1, 0, most_workers));
    if (helpers == 0 || count < 2 || fork_guard_.is_child() || !in_use_.try_lock()) {
      for (std::size_t i = 0; i < count; ++i) task(i);
      return;
    }
    const std::lock_guard in_use(in_use_, std::adopt_lock);
    start_workers(helpers);
    {
      const std::lock_guard lock(mutex_);
      task_ = &task;
      count_ = count;
      next_ = 0;
      wanted_ = std::min(helpers, count - 1);
    }
    wake_.notify_all();
    work();
    std::unique_lock lock(mutex_);
    wanted_ = 0;  // workers that have not begun need not
    wait(lock, done_, [this] { return working_ == 0; });
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int most_workers = 63;

  WorkerPool() = default;

  /// Starts as many workers as the system allows.
  void start_workers(std::size_t wanted) {
    if (workers_ >= wanted) return;
    try {
      for (; workers_ < wanted; ++workers_) start_thread([this] { help(); }).detach();
    } catch (const std::system_error&) {  // continue with fewer threads
    }
  }

  void work() {
    for (std::size_t i = next_++; i < count_; i = next_++) (*task_)(i);
  }

  /// Spins for a while before it sleeps, because sleeping and waking take longer than many tasks.
  template <class Predicate>
  static void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, const Predicate& predicate) {
    constexpr std::chrono::microseconds soon{50};
    lock.unlock();
    for (const auto begin = Clock::now(); !predicate() && Clock::now() - begin < soon;) std::this_thread::yield();
    lock.lock();
    changed.wait(lock, predicate);
  }

  [[noreturn]] void help() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wait(lock, wake_, [this] { return wanted_ > 0; });
      --wanted_;
      ++working_;
      lock.unlock();
      work();
      lock.lock();
      if (--working_ == 0) done_.notify_one();
    }
  }

  const ForkGuard fork_guard_{};
  std::mutex in_use_;
  std::size_t workers_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // guards the members below
  std::condition_variable wake_, done_;
  const Task* task_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> wanted_ = 0;  // changed under the lock only
  std::atomic<std::size_t> working_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
