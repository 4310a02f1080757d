// Which file a name or a descriptor means.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A file, by the numbers that stay the same under all its names.
class FileIdentity {
 public:
  /// Of an open file. Lifetime: `calls` outlives it.
  FileIdentity(const FileCalls& calls, int file) : calls_(calls), is_known_(calls.fstat(file, &status_) == 0) {}
  /// Of `name` in `directory`.
  FileIdentity(const FileCalls& calls, int directory, const std::string& name)
      : calls_(calls), is_known_(calls.fstatat(directory, name.c_str(), &status_, AT_SYMLINK_NOFOLLOW) == 0) {}

  /// Returns whether `name` in `directory` is this file.
  [[nodiscard]] bool has_name(int directory, const std::string& name) const {
    struct stat there {};
    return is_known_ && calls_.fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           there.st_dev == status_.st_dev && there.st_ino == status_.st_ino;
  }

 private:
  const FileCalls& calls_;
  struct stat status_ {};
  bool is_known_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
