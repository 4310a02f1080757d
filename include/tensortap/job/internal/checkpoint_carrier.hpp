// Carries the checkpoints of a job: restores them before the program starts, and copies them out as they are committed.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/periodic_work.hpp>
#include <tensortap/spot/checkpoint_sync.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// How far a training has come, as its checkpoints tell.
struct CheckpointMark {
  std::optional<std::int64_t> commit = {};  ///< the global step of the last commit in metadata.json
  std::uint32_t files = 0;                  ///< changes with any file; 0: there is none

  /// Returns whether there was progress since `before`: a later commit, or other files if the program commits nothing.
  [[nodiscard]] bool is_after(const CheckpointMark& before) const {
    if (commit) return !before.commit || *commit > *before.commit;
    return files != 0 && files != before.files;
  }
};

/// The directory of checkpoints and its copy. Threads: one calls the functions; the copies are made by another one.
class CheckpointCarrier {
 public:
  using Note = std::function<void(const std::string&)>;

  CheckpointCarrier(std::string directory, std::shared_ptr<Store> remote, const StopSignal& cancel)
      : directory_(std::move(directory)),
        local_(directory_),
        sync_(directory_, std::move(remote), {.settle_for = std::chrono::seconds(2), .stop = last_, .cancel = cancel}) {
  }

  /// Throws: no whole checkpoint could be restored.
  SyncReport restore() { return sync_.restore(); }

  /// Begins to copy: a commit at once, other files when they have settled.
  void begin() {
    copied_ = stamp_of_commit();
    work_ = std::make_unique<PeriodicWork>(std::chrono::milliseconds(200), [this] { copy(); });
  }

  /// Ends the copies, and copies what is left. Returns what could not be copied; empty: nothing. `is_last`: the machine
  /// goes, so that a copy that runs ends by the deadline, too.
  std::string finish(CheckpointSync::Clock::time_point deadline, bool is_last = false) {
    if (is_last) last_.request(StopReason::notice, deadline);
    work_.reset();
    const SyncReport report = sync_.upload_all(deadline);
    remember(report);
    return take_failure();
  }

  /// Returns the last failure that no successful copy has followed, once; empty: there is none.
  std::string take_failure() {
    const std::lock_guard lock(mutex_);
    return std::exchange(failure_, {});
  }

  /// Returns what a copy of the checkpoints does not keep, once; empty: it keeps all. The cost is that of listing them.
  std::string take_oddities() {
    std::size_t links = 0;
    std::size_t programs = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator one(directory_, error), end; !error && one != end;
         one.increment(error)) {
      struct stat status {};
      if (::lstat(one->path().c_str(), &status) != 0) continue;
      if (S_ISLNK(status.st_mode)) ++links;
      if (S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0) ++programs;
    }
    std::string out;
    if (links > 0)
      out += std::to_string(links) + (links == 1 ? " symbolic link is" : " symbolic links are") +
             " not copied; write files in their place";
    if (programs > 0)
      out += (out.empty() ? "" : "; ") + std::to_string(programs) +
             (programs == 1 ? " executable file is" : " executable files are") +
             " restored without the permission to be executed";
    return std::exchange(odd_, out) == out ? std::string() : out;
  }

  /// Returns how far the training has come. The cost is that of listing the directory.
  [[nodiscard]] CheckpointMark mark() const {
    CheckpointMark out{.commit = last_commit()};
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator one(directory_, error), end; !error && one != end;
         one.increment(error)) {
      struct stat status {};
      if (::lstat(one->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      const std::string text = one->path().string() + ' ' + std::to_string(status.st_size) + ' ' +
                               std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) +
                               ' ' + std::to_string(status.st_ino);
      out.files += crc32c(bytes_of(text)) | 1U;  // a sum: the order of a directory may change
    }
    return out;
  }

  /// Returns the step of the last commit; nullopt: there is none that can be read.
  [[nodiscard]] std::optional<std::int64_t> last_commit() const {
    try {
      const std::vector<State> states = read_states(local_);
      return states.empty() ? std::nullopt : std::optional(states.back().last_seen);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

 private:
  using Stamp = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::uint64_t>;

  [[nodiscard]] std::optional<Stamp> stamp_of_commit() const {
    struct stat status {};
    if (::stat((directory_ + "/" + std::string(state_key)).c_str(), &status) != 0) return std::nullopt;
    return Stamp(status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino);
  }

  void copy() {
    const auto now = CheckpointSync::Clock::now();
    const std::optional<Stamp> stamp = stamp_of_commit();
    if (stamp != copied_) {
      const SyncReport report = sync_.upload_all();
      if (report.complete) copied_ = stamp;
      remember(report);
    } else if (now - looked_ >= std::chrono::seconds(1)) {
      looked_ = now;
      remember(sync_.upload_settled());
    }
  }

  void remember(const SyncReport& report) {
    const std::lock_guard lock(mutex_);
    const std::string failure = report.failures.empty() ? "" : report.failures.front();
    if (!failure.empty() && failure != noted_) failure_ = failure;
    noted_ = failure;
  }

  const std::string directory_;
  const FileStore local_;
  StopSignal last_;
  CheckpointSync sync_;
  std::optional<Stamp> copied_;                 // of the thread, while it runs
  CheckpointSync::Clock::time_point looked_{};  // of the thread
  std::mutex mutex_;                            // guards the members below
  std::string failure_, noted_;
  std::string odd_;  // what was told of the files
  std::unique_ptr<PeriodicWork> work_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
