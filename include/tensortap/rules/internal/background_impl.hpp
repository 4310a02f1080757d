// The bodies of background.hpp.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/rules/background.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The queue. The thread shares it, so that an action that hangs may outlive its owner.
struct Background::Shared {
  using Clock = std::chrono::steady_clock;

  Action action;
  BackgroundLimits limits;
  std::mutex mutex;  // guards the members below
  std::condition_variable changed;
  std::deque<Finding> queue;
  BackgroundCounts counts;
  bool is_closing = false;
  bool has_ended = false;  // the thread
  Clock::time_point period_begin = {};
  std::int64_t in_period = 0;

  /// Returns whether one more finding may be taken in this period.
  bool admit() {
    const Clock::time_point now = Clock::now();
    if (now - period_begin >= limits.period) {
      period_begin = now;
      in_period = 0;
    }
    return queue.size() < limits.queue && in_period++ < limits.at_most;
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return is_closing || !queue.empty(); });
      if (queue.empty()) break;
      const Finding finding = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      bool is_done = true;
      try {
        action(finding);
      } catch (...) {
        is_done = false;
      }
      lock.lock();
      ++(is_done ? counts.taken : counts.failed);
    }
    has_ended = true;
    changed.notify_all();
  }
};

struct Background::Owner {
  explicit Owner(std::shared_ptr<Shared> with) : shared(std::move(with)) {}
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  ~Owner() {
    if (fork_guard.is_child()) {
      if (thread.joinable()) thread.detach();  // the child has no such thread
      return;
    }
    std::unique_lock lock(shared->mutex);
    shared->is_closing = true;
    shared->changed.notify_all();
    if (!thread.joinable()) return;
    const bool has_ended = shared->changed.wait_for(lock, shared->limits.patience, [&] { return shared->has_ended; });
    shared->counts.dropped += shared->queue.size();
    shared->queue.clear();
    lock.unlock();
    has_ended ? thread.join() : thread.detach();
  }

  std::shared_ptr<Shared> shared;
  detail::ForkGuard fork_guard;
  std::thread thread;
};

TENSORTAP_INLINE Background::Background(Action action, BackgroundLimits limits)
    : owner_(std::make_shared<Owner>(std::make_shared<Shared>())) {
  owner_->shared->action = std::move(action);
  owner_->shared->limits = limits;
}

TENSORTAP_INLINE void Background::operator()(const Finding& finding) const {
  if (owner_->fork_guard.is_child()) return;
  const std::shared_ptr<Shared>& shared = owner_->shared;
  const std::lock_guard lock(shared->mutex);
  if (!shared->admit()) {
    ++shared->counts.dropped;
    return;
  }
  if (!owner_->thread.joinable()) owner_->thread = detail::start_thread([shared] { shared->run(); });
  shared->queue.push_back(finding);
  shared->changed.notify_all();
}

TENSORTAP_INLINE BackgroundCounts Background::counts() const {
  const std::lock_guard lock(owner_->shared->mutex);
  return owner_->shared->counts;
}

TENSORTAP_END_NAMESPACE
