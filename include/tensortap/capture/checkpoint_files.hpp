// Writes checkpoints so that the last one is never touched: each has a name of its own, appears whole, and the oldest
// ones are removed.
//
//   tensortap::CheckpointFiles checkpoints("checkpoints");
//   hook.commit(checkpoints.save(hook.global_step(), [&](const std::string& path) { model.save(path); }));
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How checkpoints are named, and how many are kept.
struct CheckpointFilesOptions {
  std::size_t keep = 3;          ///< with the new one; at least 2, because the new one is not committed yet
  std::string prefix = "step-";  ///< of each name, before the number of the step
  std::string suffix = {};       ///< of each name, ".pt"
};

/// The checkpoints of one training in a directory: files, or directories of files.
/// Threads: one at a time. One process saves into a directory.
class CheckpointFiles {
 public:
  /// `directory` is that of HookOptions::checkpoint_dir; it is made with the first checkpoint. A relative path begins
  /// at the working directory of this moment. Throws: an option with an invalid value.
  explicit CheckpointFiles(const std::string& directory, CheckpointFilesOptions options = {});

  /// Calls `write(path)`, which writes the checkpoint of `step` at the temporary `path`: a file, or a directory that it
  /// makes. Renames it, removes all but the last ones up to `step` and the one of the last commit, and returns its
  /// path, for Hook::commit. Never replaces an earlier checkpoint. Throws: what `write` throws; it returns false, or
  /// nothing is at `path`; the directory cannot be written. Nothing is left of the new checkpoint then.
  template <class Write>
  std::string save(std::int64_t step, Write&& write) {
    return save_by(step, [&](const std::string& path) {
      if constexpr (std::is_void_v<std::invoke_result_t<Write&, const std::string&>>)
        return write(path), true;
      else
        return static_cast<bool>(write(path));
    });
  }

  /// Returns the paths of the checkpoints, by growing step.
  [[nodiscard]] std::vector<std::string> paths() const;

 private:
  std::string save_by(std::int64_t step, const std::function<bool(const std::string& path)>& write);

  std::string directory_;
  CheckpointFilesOptions options_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/checkpoint_files_impl.hpp>
#endif
