// Paths that stay the same when the process changes its working directory.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `path` from the root of the file system on; unchanged if the working directory no longer exists. Keeps "..",
/// which leads elsewhere behind a symbolic link.
inline std::string absolute_path(std::string path) {
  if (path.starts_with('/')) return path;
  std::error_code gone;
  std::string here = std::filesystem::current_path(gone).string();
  if (gone) return path;
  while (path.starts_with("./")) path.erase(0, path.find_first_not_of('/', 1));
  if (path.empty() || path == ".") return here;
  return here.append(here == "/" ? "" : "/") + path;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
