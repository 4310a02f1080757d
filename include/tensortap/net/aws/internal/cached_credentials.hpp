// Credentials that are fetched once and renewed before they expire, when a caller comes.
//
//   tensortap::CachedCredentials cached(tensortap::default_credentials({.transport = transport}));
//   const tensortap::Credentials credentials = cached.get();
#pragma once

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Keeps what a source gave. Threads: any.
class CachedCredentials {
 public:
  using Clock = std::chrono::steady_clock;
  using TimePoint = std::chrono::system_clock::time_point;

  /// How long before they expire others are asked for, and how long after such a try there is no next one.
  static constexpr std::chrono::minutes renew_ahead{5};
  static constexpr std::chrono::seconds renew_pause{10};

  explicit CachedCredentials(CredentialsSource source,
                             std::function<TimePoint()> clock = std::chrono::system_clock::now)
      : source_(std::move(source)), clock_(std::move(clock)) {}
  CachedCredentials(const CachedCredentials&) = delete;
  CachedCredentials& operator=(const CachedCredentials&) = delete;

  /// Waits for what the source is still busy with, save in a forked child, which does not have that thread.
  ~CachedCredentials() {
    if (!asker_.joinable()) return;
    owner_ == ::getpid() ? asker_.join() : asker_.detach();
  }

  /// Good credentials. The first caller who needs others has the source asked, in a thread of its own, and waits; the
  /// rest get the old ones while these are good, or wait too. What the source has just given is taken even if it seems
  /// to have expired: then this clock may be wrong.
  /// Throws: what the source threw, if the old ones are not good any more; none came by `deadline`, or before `stop`.
  [[nodiscard]] Credentials get(Clock::time_point deadline = Clock::time_point::max(),
                                const std::stop_token& stop = {}) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const TimePoint now = clock_();
      if (cached_ && (!is_due(now) || (asking_ && is_good(now)))) return *cached_;
      const std::uint64_t before = answers_;
      if (!asking_) ask(lock);
      if (!answered_.wait_until(lock, stop, deadline, [&] { return answers_ != before; })) {
        if (cached_ && is_good(clock_())) return *cached_;
        throw Error::no_credentials_in_time(stop.stop_requested() ? "it was told to stop" : "its deadline has come");
      }
      if (failure_) throw Error(*failure_);
    }
  }

  /// Drops `seen`, which the server has refused, unless there are others already.
  void invalidate(const Credentials& seen) {
    const std::lock_guard lock(mutex_);
    if (cached_ && *cached_ == seen) cached_.reset();
  }

 private:
  [[nodiscard]] bool is_due(TimePoint now) const {
    return cached_->expires && now >= *cached_->expires - renew_ahead && now >= next_try_;
  }
  [[nodiscard]] bool is_good(TimePoint now) const { return !cached_->expires || now < *cached_->expires; }

  void ask(std::unique_lock<std::mutex>& lock) {
    asking_ = true;
    if (asker_.joinable()) asker_.join();  // it has answered
    try {
      asker_ = detail::start_thread([this] { answer(); });
    } catch (const std::system_error&) {
      lock.unlock();
      answer();
      lock.lock();
    }
  }

  void answer() noexcept {
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
    ++answers_;
    if (fresh) {
      cached_ = std::move(fresh);
    } else if (cached_ && is_good(now)) {
      failure.reset();
    } else {
      cached_.reset();
    }
    next_try_ = now + renew_pause;
    failure_ = std::move(failure);
    answered_.notify_all();
  }

  CredentialsSource source_;
  std::function<TimePoint()> clock_;
  const pid_t owner_ = ::getpid();
  std::thread asker_;
  std::mutex mutex_;  // guards what is below, and the thread above
  std::condition_variable_any answered_;
  std::optional<Credentials> cached_;
  std::optional<Error> failure_;  // of the last answer
  TimePoint next_try_ = {};
  std::uint64_t answers_ = 0;
  bool asking_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
