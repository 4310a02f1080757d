// The name of the file system that holds a path, for messages.
#pragma once

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the type of the file system that holds the absolute `path`, as "ext4" or "fuse.s3fs"; empty if it is
/// unknown.
/// Source: proc_pid_mountinfo(5); spaces in mount points are written as \040 and are not decoded here.
inline std::string file_system_name(const std::string& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string found;
  std::size_t longest = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string word, point, type;
    for (int i = 0; i < 5 && words >> word; ++i) point = word;
    while (words >> word && word != "-") continue;
    words >> type;
    const std::string below = point == "/" ? point : point + "/";
    if (point.size() >= longest && (path == point || path.starts_with(below))) {
      longest = point.size();
      found = type;
    }
  }
  return found;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
