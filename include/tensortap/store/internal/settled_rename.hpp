// A rename whose result is true also on a network file system, which may report the failure of one that succeeded.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/file_identity.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the file `moved` has its new name `to` in `directory` after `rename()`, which behaves as the system
/// call does. If the reply of the server is lost, the client asks again, and then does not find the old name (ENOENT),
/// or finds the new one (EEXIST). Sets errno if it returns false.
template <class Rename>
bool settled_rename(const FileIdentity& moved, int directory, const std::string& to, const Rename& rename) {
  if (rename() == 0) return true;
  const int cause = errno;
  const bool is_done = (cause == ENOENT || cause == EEXIST) && moved.has_name(directory, to);
  errno = cause;
  return is_done;
}

/// Renames the file or directory `from`, and replaces a file; returns false and sets errno if that fails.
inline bool rename_file(const FileCalls& calls, const std::string& from, const std::string& to) {
  const FileIdentity moved(calls, AT_FDCWD, from);
  return settled_rename(moved, AT_FDCWD, to,
                        [&] { return calls.renameat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str()); });
}

/// Returns whether a file or directory is gone, according to a failed call. On a network file system another machine
/// may have removed it while it was open (ESTALE).
inline bool is_gone(int error) noexcept { return error == ENOENT || error == ESTALE; }

}  // namespace detail
TENSORTAP_END_NAMESPACE
