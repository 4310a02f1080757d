// The options of a checkpoint sync, and the report of what it did.
//
//   tensortap::CheckpointSyncOptions options{.keep_deleted = true};
//   options.progress = [](const tensortap::SyncProgress& at) { std::cout << at.bytes << '/' << at.all_bytes << '\n'; };
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/retry_policy.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

struct FileCalls;

namespace detail {
void sync_sleep(std::chrono::nanoseconds duration);
std::int64_t sync_wall_time();
}  // namespace detail

/// The progress of a restore or an upload.
struct SyncProgress {
  std::string_view file = {};  ///< the file that was finished last
  std::uint64_t files = 0;     ///< finished, of `all_files`
  std::uint64_t all_files = 0;
  std::uint64_t bytes = 0;  ///< finished, of `all_bytes`; unchanged files count as finished
  std::uint64_t all_bytes = 0;
};

/// The result of a restore or an upload.
struct SyncReport {
  std::uint64_t files = 0;      ///< transferred
  std::uint64_t bytes = 0;      ///< of the transferred files
  std::uint64_t unchanged = 0;  ///< files that needed no transfer
  std::uint64_t removed = 0;    ///< remote objects whose local files were deleted
  std::uint64_t retries = 0;
  std::vector<std::string> missing = {};      ///< files that are absent or out of date at the target
  std::vector<std::string> failures = {};     ///< messages that say why
  std::vector<std::string> passed_over = {};  ///< directories that this user cannot list, as lost+found of a volume
  bool complete = false;                      ///< all requested files are at the target, and the manifest names them
  bool local_is_newer = false;                ///< a restore changed nothing: the directory's last commit is newer
  std::optional<std::int64_t> step = {};      ///< the global step of the last whole commit, if any is known
};

/// The options of a checkpoint sync.
struct CheckpointSyncOptions {
  /// Keeps remote objects whose local files were deleted.
  bool keep_deleted = false;

  /// The time for which a file must not change before upload_settled() sends it.
  std::chrono::nanoseconds settle_for = std::chrono::seconds(5);

  /// The number of parallel calls to the remote store; 0: as many as the store suggests.
  std::size_t at_once = 0;
  /// The memory for files in transfer; each is in memory while it is sent. Units: bytes of all of them together; a
  /// single file may be larger.
  std::uint64_t max_memory = std::uint64_t{1} << 30;
  /// Larger files are fetched in parts of this size. Units: bytes.
  std::uint64_t part_size = std::uint64_t{8} << 20;

  /// How a failing call to the remote store is repeated.
  RetryPolicy retry = {.attempts = 4,
                       .for_at_most = std::chrono::nanoseconds::max(),
                       .first_delay = std::chrono::milliseconds(100),
                       .longest_delay = std::chrono::seconds(5)};

  /// The notice that the machine will be taken away, see `Interruption`: transfers end by its deadline. A notice
  /// without a deadline does not end them.
  StopSignal stop = {};
  /// Ends a running transfer at once.
  StopSignal cancel = {};

  /// Called after each file. Exceptions are ignored. Threads: several threads, one call at a time.
  std::function<void(const SyncProgress&)> progress = {};

  /// Waits between two attempts.
  std::function<void(std::chrono::nanoseconds)> sleep = detail::sync_sleep;
  /// The clock of `settle_for`.
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
  /// Returns the time to compare with the times of files. Units: seconds since 1970.
  std::function<std::int64_t()> wall_time = detail::sync_wall_time;
  /// The system calls on the directory, for tests; null: those of the system.
  std::shared_ptr<const FileCalls> calls = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/spot/internal/checkpoint_sync_options_impl.hpp>
#endif
