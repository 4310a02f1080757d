// One restore or upload under way: repeats what fails, knows when it is too late, and keeps account of what was done.
// Not for users: CheckpointSync starts them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class SyncJob {
 public:
  using Clock = std::chrono::steady_clock;

  /// `remote` names the store in messages.
  SyncJob(const CheckpointSyncOptions& options, StopSignal stop, Clock::time_point deadline, std::string remote)
      : options_(options), stop_(std::move(stop)), deadline_(deadline), remote_(std::move(remote)) {}

  /// What is left; at most a day.
  [[nodiscard]] Clock::duration time_left() const {
    Clock::duration left = std::chrono::hours(24);
    if (abandoned_ || options_.cancel.stop_requested()) return {};
    for (const StopSignal& stop : {stop_, options_.stop})
      if (const auto until = stop.time_left()) left = std::min(left, *until);
    if (deadline_ != Clock::time_point::max()) left = std::min(left, deadline_ - Clock::now());
    return std::max(left, Clock::duration::zero());
  }
  [[nodiscard]] bool is_late() const { return time_left() <= Clock::duration::zero(); }
  void require_time() const {
    if (is_late()) throw Error::sync_out_of_time(remote_);
  }

  /// `call`, again while the store fails and there is time.
  template <class Call>
  auto with_retries(const Call& call) {
    constexpr std::chrono::nanoseconds longest_pause = std::chrono::seconds(5);
    std::chrono::nanoseconds pause = options_.pause;
    for (int attempt = 1;; ++attempt) {
      require_time();
      try {
        return call();
      } catch (const Error& e) {
        if (e.code() != Errc::io || attempt >= options_.attempts || time_left() <= pause) throw;
      }
      count([](SyncReport& report) { ++report.retries; });
      options_.sleep(pause);
      pause = std::min(pause * 2, longest_pause);
    }
  }

  template <class Change>
  void count(const Change& change) {
    const std::lock_guard lock(mutex_);
    if (!abandoned_) change(report_);
  }

  /// `name`, of `size` bytes, is to be done.
  void expect(const std::string& name, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    left_.insert(name);
    if (!expected_.insert(name).second) return;
    ++progress_.all_files;
    progress_.all_bytes += size;
  }
  /// It is none of ours after all.
  void forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    left_.erase(name);
  }
  /// It is done; `moved` says whether its bytes had to travel. The second time it is no longer news.
  void done(const std::string& name, std::uint64_t size, bool moved) {
    const std::lock_guard lock(mutex_);
    left_.erase(name);
    if (abandoned_) return;
    const bool news = done_.insert(name).second;
    if (moved) {
      ++report_.files;
      report_.bytes += size;
    } else if (news) {
      ++report_.unchanged;
    }
    if (!news) return;
    ++progress_.files;
    progress_.bytes += size;
    progress_.file = name;
    try {
      if (options_.progress) options_.progress(progress_);
    } catch (...) {  // not our business
    }
    progress_.file = {};
  }
  /// It is not done, or no longer: its name stays among those that are missing.
  void undone(const std::string& name) {
    const std::lock_guard lock(mutex_);
    left_.insert(name);
  }
  void failed(std::string message) {
    constexpr std::size_t most = 100;
    const std::lock_guard lock(mutex_);
    if (!abandoned_ && report_.failures.size() < most) report_.failures.push_back(std::move(message));
  }

  /// What was done so far.
  [[nodiscard]] SyncReport report() const {
    const std::lock_guard lock(mutex_);
    SyncReport out = report_;
    out.missing.assign(left_.begin(), left_.end());
    out.complete = out.complete && out.missing.empty();
    return out;
  }
  /// Tells nobody of anything any more, and ends as soon as it can.
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }

 private:
  const CheckpointSyncOptions options_;
  const StopSignal stop_;
  const Clock::time_point deadline_;
  const std::string remote_;
  std::atomic<bool> abandoned_ = false;
  mutable std::mutex mutex_;  // guards what follows
  SyncReport report_;
  SyncProgress progress_;
  std::set<std::string> left_;
  std::set<std::string> expected_;
  std::set<std::string> done_;
};

/// Memory for files on their way.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  /// A part of it, for as long as it lives.
  class Share {
   public:
    /// Waits for room for `bytes`, or to be alone. Throws: it took too long.
    Share(MemoryBudget& budget, std::uint64_t bytes, const SyncJob& job) : budget_(budget), bytes_(bytes) {
      std::unique_lock lock(budget_.mutex_);
      while (budget_.used_ > 0 && (bytes > budget_.limit_ || budget_.used_ > budget_.limit_ - bytes)) {
        job.require_time();
        budget_.freed_.wait_for(lock, std::chrono::milliseconds(50));
      }
      budget_.used_ += bytes;
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() {
      const std::lock_guard lock(budget_.mutex_);
      budget_.used_ -= bytes_;
      budget_.freed_.notify_all();
    }

   private:
    MemoryBudget& budget_;
    std::uint64_t bytes_;
  };

 private:
  const std::uint64_t limit_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::uint64_t used_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
