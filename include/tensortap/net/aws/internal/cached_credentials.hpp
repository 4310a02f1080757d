// Credentials that are fetched once and renewed before they expire, when a caller needs them.
//
//   CachedCredentials cached(default_credentials({.transport = transport}));
//   const Credentials credentials = cached.get();
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/task.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/net/aws/credentials.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The credentials that a source returned last. Threads: any.
class CachedCredentials {
 public:
  using Clock = Task::Clock;
  using TimePoint = std::chrono::system_clock::time_point;

  /// How long before they expire the credentials are renewed, and the pause after a renewal that failed.
  static constexpr std::chrono::minutes renew_ahead{5};
  static constexpr std::chrono::seconds renew_pause{10};

  explicit CachedCredentials(CredentialsSource source,
                             std::function<TimePoint()> clock = std::chrono::system_clock::now)
      : source_(std::move(source)), clock_(std::move(clock)) {}
  CachedCredentials(const CachedCredentials&) = delete;
  CachedCredentials& operator=(const CachedCredentials&) = delete;

  /// Waits until the source returns, except in a forked child, which does not have the thread that asks.
  ~CachedCredentials() {
    if (!thread_.joinable()) return;
    fork_guard_.is_child() ? thread_.detach() : thread_.join();
  }

  /// Returns valid credentials. The first caller that finds them missing or due starts a thread that asks the source,
  /// and waits for it. Other callers get the old credentials while these are valid; else they wait, too. Fresh
  /// credentials are returned even if they seem to have expired, because the local clock may be wrong. Throws: what the
  /// source threw, if the old ones are not valid; none came by `deadline`, or before `stop`.
  [[nodiscard]] Credentials get(Clock::time_point deadline = Clock::time_point::max(),
                                const std::stop_token& stop = {}) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const TimePoint now = clock_();
      if (cached_ && (!is_due(now) || (asking_ && is_valid(now)))) return *cached_;
      if (!asking_) ask(lock);
      const std::shared_ptr<Task> task = task_;
      lock.unlock();
      const bool has_ended = task->wait_until(deadline, stop);
      lock.lock();
      if (!has_ended) {
        if (cached_ && is_valid(clock_())) return *cached_;
        throw Error::no_credentials_in_time(stop.stop_requested() ? "a stop was requested" : "the deadline passed");
      }
      if (failure_) throw *failure_;
    }
  }

  /// Drops the credentials if they equal `refused`, which the server did not accept. Keeps newer ones.
  void invalidate(const Credentials& refused) {
    const std::lock_guard lock(mutex_);
    if (cached_ && *cached_ == refused) cached_.reset();
  }

 private:
  [[nodiscard]] bool is_due(TimePoint now) const {
    return cached_->expires && now >= *cached_->expires - renew_ahead && now >= next_renewal_;
  }
  [[nodiscard]] bool is_valid(TimePoint now) const { return !cached_->expires || now < *cached_->expires; }

  /// Starts the task. Runs it in this thread, without the lock, if no other can be started.
  void ask(std::unique_lock<std::mutex>& lock) {
    if (thread_.joinable()) thread_.join();  // the task has renewed and only has to return
    const auto task = std::make_shared<Task>([this] { renew(); });
    task_ = task;
    asking_ = true;
    try {
      thread_ = start_thread([task] { task->run(); });
    } catch (const std::system_error&) {
      lock.unlock();
      task->run();
      lock.lock();
    }
  }

  void renew() noexcept {
    std::optional<Credentials> fresh;
    std::optional<Error> failure;
    try {
      fresh = source_();
    } catch (const Error& e) {
      failure = e;
    } catch (const std::exception& e) {
      failure = Error::no_credentials(escaped(e.what()));
    } catch (...) {
      failure = Error::no_credentials("the source failed");
    }
    const std::lock_guard lock(mutex_);
    const TimePoint now = clock_();
    asking_ = false;
    if (fresh) {
      cached_ = std::move(fresh);
    } else if (cached_ && is_valid(now)) {
      failure.reset();
    } else {
      cached_.reset();
    }
    next_renewal_ = now + renew_pause;
    failure_ = std::move(failure);
  }

  const CredentialsSource source_;
  const std::function<TimePoint()> clock_;
  const ForkGuard fork_guard_;
  std::mutex mutex_;            // guards the fields below
  std::shared_ptr<Task> task_;  // the last one
  std::thread thread_;          // runs it
  std::optional<Credentials> cached_;
  std::optional<Error> failure_;  // of the last renewal
  TimePoint next_renewal_ = {};
  bool asking_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
