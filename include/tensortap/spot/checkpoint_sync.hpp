// Keeps a directory of checkpoints and a prefix of a store alike, so that a training outlives its machine, as
// SageMaker's managed spot training does; but never restores half a checkpoint.
//
//   tensortap::CheckpointSync sync("checkpoints", tensortap::open_store("backup/42"));
//   sync.restore();                                              // before the hook reads what is there
//   tensortap::Hook training("runs/42", sync.attach());          // its checkpoint_dir is "checkpoints"
//   training.begin_step();
//   training.commit("checkpoints/model-500.bin");                // returns once it is in the store
//
// Remote, each file is an object under its own name, as `aws s3 sync` and SageMaker have it, and
// ".tensortap/manifest.json" says of each its size and checksum. An object that the manifest names is never overwritten
// while it does: new content of such a file is sent to ".tensortap/staged/", the manifest is written, and then it is
// moved to its place, metadata.json last. So whoever restores by the manifest gets all of the new checkpoint or all of
// the one before, at every moment; who copies plain names may catch some files of each while an upload ends, which
// metadata.json tells. A prefix without a manifest is restored by listing. One process at a time sends.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/spot/internal/checkpoint_restore.hpp>
#include <tensortap/spot/internal/checkpoint_upload.hpp>
#include <tensortap/spot/internal/local_files.hpp>
#include <tensortap/spot/internal/remote_files.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A directory and its copy in a store. Files in ".tmp", symbolic links and names that are not UTF-8 are left out.
/// Uploads never throw: what went wrong is in their report, and the next one tries again. Each returns by its deadline
/// and that of `stop`; a call to the store that hangs is left to itself then.
/// What is deleted in the directory is deleted remote, if this sync had sent, restored or found it; but nothing is if
/// the directory is empty.
/// Threads: any; one restore or upload at a time, others wait.
class CheckpointSync {
 public:
  using Clock = std::chrono::steady_clock;

  /// Throws: options that mean nothing.
  CheckpointSync(std::string_view directory, std::shared_ptr<Store> remote, CheckpointSyncOptions options = {}) {
    if (directory.empty()) throw Error::bad_sync_option("directory", "it is empty; name one");
    if (!remote) throw Error::bad_sync_option("remote", "there is none; give a store");
    if (options.attempts < 1) throw Error::bad_sync_option("attempts", "at least one is needed");
    if (options.part_size < 1) throw Error::bad_sync_option("part_size", "at least one byte is needed");
    if (!options.sleep || !options.clock || !options.wall_time)
      throw Error::bad_sync_option("sleep", "it is empty, or a clock is; leave it out or give it a function");
    const std::string path = open_store(directory)->location();  // as a hook reads a checkpoint_dir
    core_ = std::make_shared<Core>(path, std::move(remote), std::move(options));
  }

  /// Brings what is remote into the directory, before training. Files that are there with the right checksum are not
  /// fetched again, others of the same name are replaced; nothing is if the directory holds a younger whole commit.
  /// Damaged files are passed over, and reported, as long as a commit in metadata.json is whole without them.
  /// Empty: nothing is done. Throws: what could not be fetched or is no whole checkpoint; then a second call goes on.
  SyncReport restore(Clock::time_point deadline = Clock::time_point::max()) {
    const auto job = core_->job({}, deadline);
    std::exception_ptr failure = core_->run(job, [core = core_, job] {
      detail::CheckpointRestore(core->local, core->remote, core->known, core->options, *job).run();
    });
    if (failure) std::rethrow_exception(failure);
    return job->report();
  }

  /// Sends all files that have changed, those of the last commit first.
  SyncReport upload_all(Clock::time_point deadline = Clock::time_point::max()) {
    return core_->upload(std::nullopt, {}, deadline);
  }

  /// Sends these files, or folders, named by their path below the directory, and metadata.json.
  SyncReport upload(std::span<const std::string> files, Clock::time_point deadline = Clock::time_point::max()) {
    return core_->upload(std::set<std::string>(files.begin(), files.end()), {}, deadline);
  }

  /// Sends the files that look as they did `settle_for` ago, for loops that cannot call upload(): to be called again
  /// and again. The first call only looks.
  SyncReport upload_settled(Clock::time_point deadline = Clock::time_point::max()) {
    auto files = core_->settled();
    return files.empty() ? SyncReport{.complete = true} : core_->upload(std::move(files), {}, deadline);
  }

  /// `options` for a hook whose commit() returns once checkpoint and state are remote, within its `commit_timeout` and
  /// the time its `stop` leaves. A commit that names no checkpoint sends all files. Throws: a checkpoint_dir other than
  /// this directory. Lifetime: the hook may outlive this.
  [[nodiscard]] HookOptions attach(HookOptions options = {}) const {
    if (options.checkpoints || (!options.checkpoint_dir.empty() && !is_directory(options.checkpoint_dir)))
      throw Error::bad_sync_option("checkpoint_dir", "it is not the directory that is synced (" +
                                                         in_quotes(core_->local.directory()) + "); leave it out");
    options.checkpoint_dir = core_->local.directory();
    options.on_commit = [core = core_, stop = options.stop, timeout = options.commit_timeout,
                         then = std::move(options.on_commit)](const State& state) {
      std::optional<std::set<std::string>> files;
      if (!state.files.empty()) files.emplace();
      for (const CheckpointFile& file : state.files) files->insert(file.name);
      const SyncReport report = core->upload(std::move(files), stop, Clock::now() + timeout);
      if (!report.complete)
        throw Error::checkpoint_not_remote(core->remote.store().location(), report.missing.size(),
                                           report.failures.empty() ? "no time was left" : report.failures.front());
      if (then) then(state);
    };
    return options;
  }

 private:
  /// What outlives this object while a call to the store hangs.
  struct Core : std::enable_shared_from_this<Core> {
    Core(const std::string& directory, std::shared_ptr<Store> store, CheckpointSyncOptions chosen)
        : options(std::move(chosen)), local(directory, options.calls), remote(std::move(store)) {}

    std::shared_ptr<detail::SyncJob> job(StopSignal stop, Clock::time_point deadline) const {
      return std::make_shared<detail::SyncJob>(options, std::move(stop), deadline, remote.store().location());
    }

    SyncReport upload(std::optional<std::set<std::string>> wanted, StopSignal stop, Clock::time_point deadline) {
      const auto job = this->job(std::move(stop), deadline);
      const auto failure = run(job, [core = shared_from_this(), job, wanted = std::move(wanted)] {
        detail::CheckpointUpload(core->local, core->remote, core->known, core->options, *job).run(wanted);
      });
      SyncReport report = job->report();
      if (!failure) return report;
      report.complete = false;
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        report.failures.insert(report.failures.begin(), e.what());
      } catch (...) {
        report.failures.insert(report.failures.begin(), "unknown");
      }
      return report;
    }

    /// Runs `work` in a thread of its own, so that one can leave in time. What it has thrown, if anything.
    std::exception_ptr run(const std::shared_ptr<detail::SyncJob>& job, std::function<void()> work) {
      struct Desk {
        std::mutex mutex;
        std::condition_variable ended;
        std::exception_ptr failure;
        bool has_ended = false;
      };
      const auto desk = std::make_shared<Desk>();
      std::thread thread;
      try {
        thread = detail::start_thread([core = shared_from_this(), desk, job, work = std::move(work)] {
          std::exception_ptr failure;
          try {
            std::unique_lock alone(core->mutex, std::defer_lock);
            while (!alone.try_lock()) {  // a timed_mutex is unknown to g++ 12's thread sanitizer
              job->require_time();
              std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
            work();
          } catch (...) {
            failure = std::current_exception();
          }
          const std::lock_guard lock(desk->mutex);
          desk->failure = failure;
          desk->has_ended = true;
          desk->ended.notify_all();
        });
      } catch (const std::system_error& e) {
        return std::make_exception_ptr(Error::io("checkpoint sync: no thread", local.directory(), e.what()));
      }
      constexpr Clock::duration glance = std::chrono::milliseconds(50);  // a notice may come meanwhile
      std::unique_lock lock(desk->mutex);
      while (!desk->has_ended && !job->is_late()) desk->ended.wait_for(lock, std::min(glance, job->time_left()));
      if (desk->has_ended) {
        lock.unlock();
        thread.join();
        return desk->failure;
      }
      lock.unlock();
      job->abandon();
      thread.detach();
      return std::make_exception_ptr(Error::sync_out_of_time(remote.store().location()));
    }

    /// The files that have looked the same for long enough.
    std::set<std::string> settled() {
      std::set<std::string> out;
      const std::lock_guard lock(settling_mutex);
      const auto now = options.clock();
      detail::LocalFiles::Looks there;
      try {
        there = local.look();
      } catch (const Error&) {  // the upload itself will say so
        return out;
      }
      std::erase_if(settling, [&](const auto& entry) { return !there.contains(entry.first); });
      for (const auto& [name, looks] : there) {
        const auto [at, is_new] = settling.try_emplace(name, looks, now);
        if (!is_new && at->second.first != looks) at->second = {looks, now};
        if (now - at->second.second >= options.settle_for && !is_new) out.insert(name);
      }
      return out;
    }

    const CheckpointSyncOptions options;
    detail::LocalFiles local;
    std::mutex mutex;  // guards what follows
    detail::RemoteFiles remote;
    detail::KnownFiles known;
    std::mutex settling_mutex;
    std::map<std::string, std::pair<detail::FileLooks, Clock::time_point>> settling;
  };

  [[nodiscard]] bool is_directory(const std::string& path) const {
    const auto whole = [](const std::string& of) {
      return std::filesystem::weakly_canonical(std::filesystem::absolute(of));
    };
    return whole(open_store(path)->location()) == whole(core_->local.directory());
  }

  std::shared_ptr<Core> core_;
};

TENSORTAP_END_NAMESPACE
