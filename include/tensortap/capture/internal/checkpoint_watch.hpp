// Detects new checkpoints in a directory, as smdebug does. A file that is new, or has another size, time or inode than
// before, is a change; smdebug's own files and temporary files are ignored.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/observer_state.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/file_store_state.hpp>
#include <tensortap/store/internal/temporary.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The files of a directory, as last listed. Threads: one at a time.
class CheckpointWatch {
 public:
  /// Starts with the files that are there now. An empty directory name watches nothing.
  explicit CheckpointWatch(const std::string& directory) {
    if (!directory.empty()) directory_.emplace(directory, FileCalls());
    known_ = list_files();
  }

  /// Returns the paths, below the directory, of files that are new or have changed since the last call. A removed file
  /// is no change, since it makes no checkpoint.
  [[nodiscard]] std::vector<std::string> changed() {
    std::vector<std::string> out;
    auto now = list_files();
    for (const auto& [name, stamp] : now)
      if (const auto before = known_.find(name); before == known_.end() || before->second != stamp) out.push_back(name);
    if (!complete_) now.merge(known_);  // files that could not be read count as unchanged
    known_ = std::move(now);
    return out;
  }

 private:
  /// What differs between two contents of a file.
  struct FileStamp {
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
  };
  using Files = std::map<std::string, FileStamp>;

  [[nodiscard]] Files list_files() {
    constexpr std::size_t limit = 10'000;
    Files out;
    if (!directory_) return out;
    const auto add = [&](int at, const char* name, const std::string& key, std::uint64_t) {
      struct stat status {};
      if (out.size() >= limit || is_ignored(key) || ::fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
      out[key] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino};
    };
    complete_ = true;
    try {
      directory_->walk("", "", add, [](const std::string&) {});  // what this user cannot list holds no checkpoints
    } catch (const Error&) {
      complete_ = false;
    }
    return out;
  }

  static bool is_ignored(std::string_view name) {
    return name == state_key || name.starts_with(observer_prefix) ||
           name.find("sagemaker-uploaded") != std::string_view::npos || is_temporary(name) ||
           is_removed_while_open(name);
  }

  std::optional<FileStoreState> directory_;
  bool complete_ = true;  // whether the last listing had no error
  Files known_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
