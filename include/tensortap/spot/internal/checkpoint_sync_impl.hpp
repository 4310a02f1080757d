// The public functions of a CheckpointSync: they check options and call its state.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/usable_directory.hpp>
#include <tensortap/spot/checkpoint_sync.hpp>
#include <tensortap/spot/internal/checkpoint_sync_state.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE CheckpointSync::CheckpointSync(std::string_view directory, std::shared_ptr<Store> remote,
                                                CheckpointSyncOptions options) {
  if (directory.empty()) throw Error::bad_sync_option("directory", "it is empty; name one");
  if (!remote) throw Error::bad_sync_option("remote", "it is null; give a store");
  if (options.retry.attempts < 1) throw Error::bad_sync_option("retry.attempts", "at least one is needed");
  if (options.part_size < 1) throw Error::bad_sync_option("part_size", "at least one byte is needed");
  if (!options.sleep || !options.clock || !options.wall_time)
    throw Error::bad_sync_option("sleep", "it is empty, or a clock is; leave it out or give it a function");
  if (directory.find("://") != std::string_view::npos)
    throw Error::bad_sync_option("directory", "it is an address; give the directory here, and the address as remote");
  const std::string path = open_store(directory)->location();  // as a hook reads a checkpoint_dir
  if (const std::string cause = detail::make_usable_directory(path); !cause.empty())
    throw Error::bad_checkpoint_dir("checkpoint sync", path, cause);
  state_ = std::make_shared<detail::CheckpointSyncState>(path, std::move(remote), std::move(options));
}

TENSORTAP_INLINE SyncReport CheckpointSync::restore(Clock::time_point deadline) { return state_->restore(deadline); }

TENSORTAP_INLINE SyncReport CheckpointSync::upload_all(Clock::time_point deadline) {
  return state_->upload(std::nullopt, {}, deadline);
}

TENSORTAP_INLINE SyncReport CheckpointSync::upload(std::span<const std::string> files, Clock::time_point deadline) {
  return state_->upload(std::set<std::string>(files.begin(), files.end()), {}, deadline);
}

TENSORTAP_INLINE SyncReport CheckpointSync::upload_settled(Clock::time_point deadline) {
  auto files = state_->settled_files();
  return files.empty() ? SyncReport{.complete = true} : state_->upload(std::move(files), {}, deadline);
}

TENSORTAP_INLINE HookOptions CheckpointSync::attach(HookOptions options) const {
  const std::string& directory = state_->directory();
  const auto is_directory = [&](const std::string& path) {
    const auto canonical = [](const std::string& of) {
      return std::filesystem::weakly_canonical(std::filesystem::absolute(of));
    };
    return canonical(open_store(path)->location()) == canonical(directory);
  };
  if (options.checkpoints || (!options.checkpoint_dir.empty() && !is_directory(options.checkpoint_dir)))
    throw Error::bad_sync_option("checkpoint_dir",
                                 "it is not the directory of the sync (" + in_quotes(directory) + "); leave it out");
  options.checkpoint_dir = directory;
  options.on_commit = [sync = state_, stop = options.stop, timeout = options.commit_timeout,
                       then = std::move(options.on_commit)](const State& state) {
    std::optional<std::set<std::string>> files;
    if (!state.checkpoint.empty()) {
      files.emplace();
      for (const CheckpointFile& file : state.files) files->insert(file.name);
    }
    const SyncReport report = sync->upload(std::move(files), stop, Clock::now() + timeout);
    if (!report.complete)
      throw Error::checkpoint_not_remote(sync->remote_location(), report.missing.size(),
                                         report.failures.empty() ? "no time was left" : report.failures.front());
    if (then) then(state);
  };
  return options;
}

TENSORTAP_END_NAMESPACE
