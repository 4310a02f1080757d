// Makes a directory that the library will write into, and says early if that cannot work.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Makes the directory `path` and what is missing above it. Returns why it cannot be used; empty if it can.
inline std::string make_usable_directory(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(path, error);  // fails for an existing directory below one that may not be searched, too
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_directory(status)) return "it is not a directory";
  if (!fs::is_directory(status)) return "it cannot be made: " + (error ? error : ignored).message();
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0)
    return "it cannot be written: " + std::generic_category().message(errno);
  return {};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
