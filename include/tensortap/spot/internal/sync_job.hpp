// One running restore or upload: its deadline, its retries, its report and its use of memory.
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
#include <tensortap/internal/retry.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The deadline, the retries and the report of one restore or upload. Threads: any.
class SyncJob {
 public:
  using Clock = std::chrono::steady_clock;

  /// `remote` is the store's location, for messages.
  SyncJob(CheckpointSyncOptions options, const StopSignal& stop, Clock::time_point deadline, std::string remote)
      : options_(std::move(options)), stop_(stop), deadline_(deadline), remote_(std::move(remote)) {}

  /// Returns the time left, at most a day.
  [[nodiscard]] Clock::duration time_left() const {
    Clock::duration left = std::chrono::hours(24);
    if (abandoned_ || options_.cancel.requested()) return {};
    for (const StopSignal& stop : {stop_, options_.stop})
      if (const auto until = stop.time_left()) left = std::min(left, *until);
    if (deadline_ != Clock::time_point::max()) left = std::min(left, deadline_ - Clock::now());
    return std::max(left, Clock::duration::zero());
  }
  [[nodiscard]] bool is_late() const { return time_left() <= Clock::duration::zero(); }
  /// Throws: no time is left.
  void require_time() const {
    if (is_late()) throw Error::sync_out_of_time(remote_);
  }

  /// Returns what `call` returns; repeats it while the store fails and time is left.
  template <class Call>
  auto with_retries(const Call& call) {
    Retries retries(options_.retry);
    require_time();
    return retry(retries, call, [this](std::chrono::nanoseconds delay) {
      if (time_left() <= delay) return false;
      update([](SyncReport& report) { ++report.retries; });
      options_.sleep(delay);
      require_time();
      return true;
    });
  }

  /// Calls `change(report)`.
  template <class Change>
  void update(const Change& change) {
    const std::lock_guard lock(mutex_);
    if (!abandoned_) change(report_);
  }

  /// Adds `name`, of `size` bytes, to the files to do.
  void add(const std::string& name, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    missing_.insert(name);
    if (!added_.insert(name).second) return;
    ++progress_.all_files;
    progress_.all_bytes += size;
  }
  /// Takes `name` off the files to do.
  void drop(const std::string& name) {
    const std::lock_guard lock(mutex_);
    missing_.erase(name);
  }
  /// Marks `name` as done; `transferred`: its bytes were sent or received. Repeated calls do not advance the progress.
  void mark_done(const std::string& name, std::uint64_t size, bool transferred) {
    const std::lock_guard lock(mutex_);
    missing_.erase(name);
    if (abandoned_) return;
    const bool is_first = done_.insert(name).second;
    if (transferred) {
      ++report_.files;
      report_.bytes += size;
    } else if (is_first) {
      ++report_.unchanged;
    }
    if (!is_first) return;
    ++progress_.files;
    progress_.bytes += size;
    progress_.file = name;
    try {
      if (options_.progress) options_.progress(progress_);
    } catch (...) {  // a callback's failure does not fail the transfer
    }
    progress_.file = {};
  }
  /// Adds `name` to the missing files of the report.
  void mark_missing(const std::string& name) {
    const std::lock_guard lock(mutex_);
    missing_.insert(name);
  }
  /// Adds `directory` to those that the report names as passed over.
  void pass_over(const std::string& directory) {
    update([&](SyncReport& report) {
      auto& names = report.passed_over;
      const auto at = std::lower_bound(names.begin(), names.end(), directory);
      if (at == names.end() || *at != directory) names.insert(at, directory);
    });
  }
  /// Adds a message to the report, up to 100.
  void add_failure(std::string message) {
    constexpr std::size_t most = 100;
    const std::lock_guard lock(mutex_);
    if (!abandoned_ && report_.failures.size() < most) report_.failures.push_back(std::move(message));
  }

  /// Returns the result so far.
  [[nodiscard]] SyncReport report() const {
    const std::lock_guard lock(mutex_);
    SyncReport out = report_;
    out.missing.assign(missing_.begin(), missing_.end());
    out.complete = out.complete && out.missing.empty();
    return out;
  }
  /// Ends the job as soon as possible and suppresses all callbacks and changes of the report from now on.
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
  mutable std::mutex mutex_;  // guards the members below
  SyncReport report_;
  SyncProgress progress_;
  std::set<std::string> missing_;
  std::set<std::string> added_;
  std::set<std::string> done_;
};

/// The memory for files in transfer.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  /// A part of the budget, returned by the destructor.
  class Share {
   public:
    /// Waits until `bytes` are free, or all memory is. Throws: no time is left.
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
