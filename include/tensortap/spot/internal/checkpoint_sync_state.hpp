// The state of a CheckpointSync, and the thread on which a restore or an upload runs. The thread owns the state with
// the caller, so that it may outlive the CheckpointSync while a call to the store hangs.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/failure_message.hpp>
#include <tensortap/internal/task.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/spot/internal/checkpoint_restore.hpp>
#include <tensortap/spot/internal/checkpoint_upload.hpp>
#include <tensortap/spot/internal/local_files.hpp>
#include <tensortap/spot/internal/remote_files.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The two sides of a sync, and what is known of their files. Threads: any.
class CheckpointSyncState : public std::enable_shared_from_this<CheckpointSyncState> {
 public:
  using Clock = std::chrono::steady_clock;

  CheckpointSyncState(const std::string& directory, std::shared_ptr<Store> store, CheckpointSyncOptions chosen)
      : options_(std::move(chosen)),
        local_(directory, options_.calls ? *options_.calls : FileCalls()),
        remote_(std::move(store)) {}

  [[nodiscard]] const std::string& directory() const noexcept { return local_.directory(); }
  [[nodiscard]] std::string remote_location() const { return remote_.store().location(); }

  /// Throws: the restore failed.
  SyncReport restore(Clock::time_point deadline) {
    const auto job = make_job({}, deadline);
    const std::exception_ptr failure = run(job, [state = shared_from_this(), job] {
      CheckpointRestore(state->local_, state->remote_, state->known_, state->options_, *job).run();
    });
    if (failure) std::rethrow_exception(failure);
    return job->report();
  }

  /// Sends the files or folders `wanted`, or all files.
  SyncReport upload(std::optional<std::set<std::string>> wanted, const StopSignal& stop, Clock::time_point deadline) {
    const auto job = make_job(stop, deadline);
    const auto failure = run(job, [state = shared_from_this(), job, wanted = std::move(wanted)] {
      CheckpointUpload(state->local_, state->remote_, state->known_, state->options_, *job).run(wanted);
    });
    SyncReport report = job->report();
    if (!failure) return report;
    report.complete = false;
    use_message(failure, [&](std::string_view message) {
      report.failures.insert(report.failures.begin(), std::string(message));
    });
    return report;
  }

  /// Returns the files that have not changed for `settle_for`.
  std::set<std::string> settled_files() {
    std::set<std::string> out;
    const std::lock_guard lock(settling_mutex_);
    const auto now = options_.clock();
    LocalFiles::Stamps stamps;
    try {
      stamps = local_.stamps();
    } catch (const Error&) {  // the upload itself reports it
      return out;
    }
    std::erase_if(settling_, [&](const auto& entry) { return !stamps.contains(entry.first); });
    for (const auto& [name, stamp] : stamps) {
      const auto [at, is_new] = settling_.try_emplace(name, stamp, now);
      if (!is_new && at->second.first != stamp) at->second = {stamp, now};
      if (now - at->second.second >= options_.settle_for && !is_new) out.insert(name);
    }
    return out;
  }

 private:
  std::shared_ptr<SyncJob> make_job(const StopSignal& stop, Clock::time_point deadline) const {
    return std::make_shared<SyncJob>(options_, stop, deadline, remote_location());
  }

  /// Runs `work` on a thread of its own until the job's deadline. Returns what it threw, or that time ran out.
  std::exception_ptr run(const std::shared_ptr<SyncJob>& job, std::function<void()> work) {
    const auto task = std::make_shared<Task>([state = shared_from_this(), job, work = std::move(work)] {
      std::unique_lock alone(state->mutex_, std::defer_lock);
      while (!alone.try_lock()) {  // g++ 12's thread sanitizer does not know timed_mutex
        job->require_time();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      work();
    });
    std::thread thread;
    try {
      thread = start_thread([task] { task->run(); });
    } catch (const std::system_error& e) {
      return std::make_exception_ptr(Error::io("checkpoint sync: no thread", directory(), e.what()));
    }
    constexpr Clock::duration poll_interval = std::chrono::milliseconds(50);  // `stop` may be requested meanwhile
    const auto wait = [&] { return task->wait_until(Clock::now() + std::min(poll_interval, job->time_left())); };
    bool has_ended = wait();
    while (!has_ended && !job->is_late()) has_ended = wait();
    if (has_ended) {
      thread.join();
      return task->failure();
    }
    job->abandon();
    thread.detach();
    return std::make_exception_ptr(Error::sync_out_of_time(remote_location()));
  }

  const CheckpointSyncOptions options_;
  LocalFiles local_;
  std::mutex mutex_;  // guards the members below
  RemoteFiles remote_;
  KnownFiles known_;
  std::mutex settling_mutex_;
  std::map<std::string, std::pair<FileStamp, Clock::time_point>> settling_;  // since when each file has its stamp
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
