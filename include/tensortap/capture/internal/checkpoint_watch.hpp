// Detects new checkpoints in a directory, as smdebug does. A file that is new, or has another size, time or inode than
// before, is a change; smdebug's own files and temporary files are ignored.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The files of a directory, as last listed. Threads: one at a time.
class CheckpointWatch {
 public:
  /// Starts with the files that are there now. An empty directory name watches nothing.
  explicit CheckpointWatch(std::string directory) : directory_(std::move(directory)), known_(list_files()) {}

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
    if (directory_.empty()) return out;
    std::error_code error;  // a directory that is removed meanwhile counts as empty
    for (std::filesystem::recursive_directory_iterator at(directory_, error), end;
         !error && at != end && out.size() < limit; at.increment(error)) {
      const std::string name = at->path().lexically_relative(directory_).string();
      struct stat status {};
      if (is_ignored(name) || ::lstat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      out[name] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino};
    }
    complete_ = !error || !std::filesystem::exists(directory_);
    return out;
  }

  static bool is_ignored(std::string_view name) {
    return name == "metadata.json" || name.find("sagemaker-uploaded") != std::string_view::npos ||
           name.ends_with(".tmp");
  }

  std::string directory_;
  bool complete_ = true;  // whether the last listing had no error
  Files known_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
