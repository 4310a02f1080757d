// Credentials that are fetched once and renewed before they expire, by whichever caller comes first.
//
//   tensortap::CachedCredentials cached(tensortap::default_credentials({.transport = transport}));
//   const tensortap::Credentials credentials = cached.get();
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/store/s3/credentials.hpp>

namespace tensortap::inline v0 {

/// Keeps what a source gave. Threads: any.
class CachedCredentials {
 public:
  using TimePoint = std::chrono::system_clock::time_point;

  /// How long before they expire others are asked for, and how long after such a try there is no next one.
  static constexpr std::chrono::minutes renew_ahead{5};
  static constexpr std::chrono::seconds renew_pause{10};

  explicit CachedCredentials(CredentialsSource source,
                             std::function<TimePoint()> clock = std::chrono::system_clock::now)
      : source_(std::move(source)), clock_(std::move(clock)) {}
  CachedCredentials(const CachedCredentials&) = delete;
  CachedCredentials& operator=(const CachedCredentials&) = delete;

  /// Good credentials. One caller at a time asks the source; the others get the old ones while these are good, or wait.
  /// What the source has just given is taken even if it seems to have expired: then this clock may be wrong.
  /// Throws: what the source threw, if the old ones are not good any more.
  [[nodiscard]] Credentials get() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const TimePoint now = clock_();
      if (cached_ && (!is_due(now) || (asking_ && is_good(now)))) return *cached_;
      if (!asking_) return renewed(lock);
      const std::uint64_t before = answers_;
      answered_.wait(lock, [&] { return answers_ != before; });
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

  Credentials renewed(std::unique_lock<std::mutex>& lock) {
    asking_ = true;
    std::optional<Credentials> fresh;
    std::optional<Error> failure;
    lock.unlock();
    try {
      fresh = source_();
    } catch (const Error& e) {
      failure = e;
    } catch (const std::exception& e) {
      failure = Error::no_credentials(escaped(e.what()));
    } catch (...) {
      failure = Error::no_credentials("the source failed");
    }
    lock.lock();
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
    failure_ = failure;
    answered_.notify_all();
    if (failure) throw Error(*failure);
    return *cached_;
  }

  CredentialsSource source_;
  std::function<TimePoint()> clock_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Credentials> cached_;
  std::optional<Error> failure_;  // of the last answer
  TimePoint next_try_ = {};
  std::uint64_t answers_ = 0;
  bool asking_ = false;
};

}  // namespace tensortap::inline v0
