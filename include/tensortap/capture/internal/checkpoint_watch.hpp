// Notices checkpoints by looking at their directory, as smdebug does: for configurations that expect it. A file that is
// new, or has another size, time or identity than before, is a change; smdebug's own files and unfinished ones are not.
//
//   tensortap::CheckpointWatch watch("checkpoints");
//   for (const std::string& key : watch.changed()) …
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

class CheckpointWatch {
 public:
  /// What is there now is no change. An empty directory name watches nothing.
  explicit CheckpointWatch(std::string directory) : directory_(std::move(directory)), known_(look()) {}

  /// The files that are new or other than at the last call, by their path below the directory. A file that is gone is
  /// no change: no checkpoint has been made by that.
  [[nodiscard]] std::vector<std::string> changed() {
    std::vector<std::string> out;
    auto now = look();
    for (const auto& [name, looks] : now)
      if (const auto before = known_.find(name); before == known_.end() || before->second != looks) out.push_back(name);
    if (!complete_) now.merge(known_);  // what could not be seen has not changed
    known_ = std::move(now);
    return out;
  }

 private:
  /// What tells one content from the next.
  struct Looks {
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Looks&, const Looks&) = default;
  };
  using Files = std::map<std::string, Looks>;

  [[nodiscard]] Files look() {
    constexpr std::size_t limit = 10'000;
    Files out;
    if (directory_.empty()) return out;
    std::error_code error;  // a directory that goes away while it is read is an empty one
    for (std::filesystem::recursive_directory_iterator at(directory_, error), end;
         !error && at != end && out.size() < limit; at.increment(error)) {
      const std::string name = at->path().lexically_relative(directory_).string();
      struct stat status {};
      if (is_foreign(name) || ::lstat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      out[name] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino};
    }
    complete_ = !error || !std::filesystem::exists(directory_);
    return out;
  }

  static bool is_foreign(std::string_view name) {
    return name == "metadata.json" || name.find("sagemaker-uploaded") != std::string_view::npos ||
           name.ends_with(".tmp");
  }

  std::string directory_;
  bool complete_ = true;  // whether the last look saw all
  Files known_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
