// Ends exchanges at their deadline or on a stop request, by shutting down their sockets. A connect, handshake, read or
// write that waits for such a socket then returns at once.
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

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/net/http/http_message.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One thread for all exchanges. It starts with the first exchange that can end early and sleeps until the next
/// deadline.
class Watchdog {
 public:
  using Clock = HttpRequest::Clock;

  /// One exchange under watch, for the lifetime of this object. Threads: one.
  class Watch {
   public:
    /// Throws: std::system_error, the thread cannot be started.
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

    /// Makes `socket` the one to shut down; -1: none. The caller keeps it open until the next call.
    void guard(int socket) {
      const std::lock_guard lock(watchdog_.mutex_);
      socket_ = socket;
      if (verdict() != HttpFailure::none) shut();
    }

    /// Returns why the exchange was ended; HttpFailure::none if it was not.
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
  /// A socket that is shut down before its connect begins connects nevertheless, so the shutdown is repeated.
  static constexpr std::chrono::milliseconds shutdown_period{20};

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
        waits_until_ = std::min(waits_until_, over ? now + shutdown_period : watch->deadline_);
      }
      if (waits_until_ == Clock::time_point::max())
        wake_.wait(lock);
      else
        wake_.wait_until(lock, waits_until_);
    }
  }

  std::mutex mutex_;  // guards the fields below and the sockets of the watches
  std::condition_variable wake_;
  std::vector<Watch*> watches_;
  Clock::time_point waits_until_ = Clock::time_point::max();
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
