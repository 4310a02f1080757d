// Copies a directory of checkpoints to a store and back, so that training can continue on another machine, as in
// SageMaker's managed spot training. Unlike that, it never restores half a checkpoint. README.md in this folder
// describes the protocol.
//
//   tensortap::CheckpointSync sync("checkpoints", tensortap::open_store("backup/42"));
//   sync.restore();                                              // before the hook reads the directory
//   tensortap::Hook training("runs/42", sync.attach());          // its checkpoint_dir is "checkpoints"
//   training.begin_step();
//   training.commit("checkpoints/model-500.bin");                // returns once the file is in the store
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class CheckpointSyncState;
}

/// A directory and its copy in a store. Does not copy symbolic links, names that end in ".tmp" and names that are not
/// UTF-8. An upload does not throw: its report lists the failures, and the next upload sends those files again. Each
/// call returns by its deadline and that of `stop`; it abandons a call to the store that hangs. Directories that this
/// user cannot list are passed over; the report names them. If a local file was deleted, the next upload deletes its
/// remote copy, but only if this object has sent, restored or found the file, and never if the directory is empty or a
/// link is in the file's place.
/// Threads: any; one restore or upload runs at a time, others wait.
class CheckpointSync {
 public:
  using Clock = std::chrono::steady_clock;

  /// Makes the directory; a relative path begins at the working directory of this moment. Throws: it cannot be made or
  /// written; an option out of range.
  CheckpointSync(std::string_view directory, std::shared_ptr<Store> remote, CheckpointSyncOptions options = {});

  /// Copies the remote files into the directory; call it before training. Files with the right checksum are not fetched
  /// again, other files of the same name are replaced. Changes nothing if the directory holds a newer whole commit.
  /// Skips and reports damaged files as long as a commit in metadata.json is whole without them.
  /// Empty: nothing is done. Throws: a file could not be fetched, or no checkpoint is whole; a second call continues.
  SyncReport restore(Clock::time_point deadline = Clock::time_point::max());

  /// Sends all changed files, those of the last commit first.
  SyncReport upload_all(Clock::time_point deadline = Clock::time_point::max());

  /// Sends these files or folders, named by their path below the directory, and metadata.json.
  SyncReport upload(std::span<const std::string> files, Clock::time_point deadline = Clock::time_point::max());

  /// Sends the files that have not changed for `settle_for`; for loops that cannot call upload(), to be called
  /// periodically. The first call only records the state of the files.
  SyncReport upload_settled(Clock::time_point deadline = Clock::time_point::max());

  /// Returns `options` with checkpoint_dir and on_commit set. commit() of such a hook also sends checkpoint and state,
  /// and returns once they are in the store, within `commit_timeout` and the time left of `stop`. A commit without a
  /// checkpoint sends all files. Throws: a checkpoint_dir other than this directory. Lifetime: the hook may outlive
  /// this object.
  [[nodiscard]] HookOptions attach(HookOptions options = {}) const;

 private:
  std::shared_ptr<detail::CheckpointSyncState> state_;  // shared with abandoned threads
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/spot/internal/checkpoint_sync_impl.hpp>
#endif
