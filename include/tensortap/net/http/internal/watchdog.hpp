// Ends exchanges that take too long or are no longer wanted, by shutting their sockets down: whatever waits for one
// then returns at once, be it in a connect, a handshake, a read or a write. Not for users.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/net/http/http_message.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One thread, started with the first exchange that can end early; it sleeps until the next deadline.
class Watchdog {
 public:
  using Clock = HttpRequest::Clock;

  /// An exchange that is watched for as long as this lives, in one thread.
  class Watch {
   public:
    /// Throws: std::system_error, if there is no thread to be had.
    Watch(Watchdog& watchdog, Clock::time_point deadline, std::stop_token stop)
        : watchdog_(watchdog), deadline_(deadline) {
      if (deadline == Clock::time_point::max() && !stop.stop_possible()) return;
      if (deadline <= Clock::now()) verdict_ = HttpFailure::timed_out;
      watchdog_.add(*this);
      on_stop_.emplace(std::move(stop), [this] { watchdog_.fire(*this, HttpFailure::stopped); });
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
      on_stop_.reset();
      watchdog_.remove(*this);
    }

    /// From now on `socket` is what is shut down; -1: nothing. It stays open until another one is named.
    void guard(int socket) {
      const std::lock_guard lock(watchdog_.mutex_);
      socket_ = socket;
      if (verdict() != HttpFailure::none) shut();
    }

    /// Why the exchange was ended; none if it was not.
    [[nodiscard]] HttpFailure verdict() const noexcept { return verdict_.load(std::memory_order_acquire); }

   private:
    friend Watchdog;

    void shut() const {
      if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
    }

    Watchdog& watchdog_;
    const Clock::time_point deadline_;
    std::atomic<HttpFailure> verdict_ = HttpFailure::none;
    int socket_ = -1;
    std::optional<std::stop_callback<std::function<void()>>> on_stop_;
  };

  Watchdog() = default;
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  /// A socket shut down before its connect began connects all the same, so it is shut down again and again.
  static constexpr std::chrono::milliseconds again{20};

  void add(Watch& watch) {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = start_thread([this] { run(); });
    watches_.push_back(&watch);
    if (watch.deadline_ < waits_until_) wake_.notify_one();
  }

  void remove(Watch& watch) {
    const std::lock_guard lock(mutex_);
    std::erase(watches_, &watch);
  }

  void fire(Watch& watch, HttpFailure verdict) {
    {
      const std::lock_guard lock(mutex_);
      if (watch.verdict() == HttpFailure::none) watch.verdict_.store(verdict, std::memory_order_release);
      watch.shut();
    }
    wake_.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      const Clock::time_point now = Clock::now();
      waits_until_ = Clock::time_point::max();
      for (Watch* const watch : watches_) {
        if (watch->verdict() == HttpFailure::none && watch->deadline_ <= now)
          watch->verdict_.store(HttpFailure::timed_out, std::memory_order_release);
        const bool over = watch->verdict() != HttpFailure::none;
        if (over) watch->shut();
        waits_until_ = std::min(waits_until_, over ? now + again : watch->deadline_);
      }
      if (waits_until_ == Clock::time_point::max())
        wake_.wait(lock);
      else
        wake_.wait_until(lock, waits_until_);
    }
  }

  std::mutex mutex_;  // guards what is below, and the sockets of the watches
  std::condition_variable wake_;
  std::vector<Watch*> watches_;
  Clock::time_point waits_until_ = Clock::time_point::max();
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
