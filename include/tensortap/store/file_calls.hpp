// The system calls of a FileStore, as callables, so that a test can let one of them fail or write all of them down.
// What is left out cannot fail in a way that matters: closing what was only read.
//
//   tensortap::FileCalls calls;
//   calls.fsync = [](int) { return errno = EIO, -1; };
//   tensortap::FileStore store("runs/42", calls);
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <cerrno>
#include <cstddef>
#include <functional>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

// What a system lacks fails with ENOSYS; FileStore knows another way then.

inline int renameat_new(int from_directory, const char* from, int to_directory, const char* to) {
#ifdef SYS_renameat2
  constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE, which not every C library defines
  return static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, no_replace));
#else
  (void)from_directory, (void)from, (void)to_directory, (void)to;
  return errno = ENOSYS, -1;
#endif
}

inline int sync_file_system(int file) {
#ifdef __linux__
  return ::syncfs(file);
#else
  (void)file;
  return errno = ENOSYS, -1;
#endif
}

/// Locks that belong to the open file: they also exclude other threads of this process, and end with its last
/// descriptor, however the process ends.
inline int lock_open_file(int file) {
#ifdef F_OFD_SETLK
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(file, F_OFD_SETLK, &whole);
#else
  (void)file;
  return errno = ENOSYS, -1;
#endif
}

/// `call` again for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(const Call& call) {
  for (;;)
    if (const auto result = call(); result != -1 || errno != EINTR) return result;
}

}  // namespace detail

/// Each as its manual page says: -1 or null, and errno, where it fails.
struct FileCalls {
  std::function<int(int directory, const char* path, int flags, mode_t mode)> openat =
      [](int directory, const char* path, int flags, mode_t mode) { return ::openat(directory, path, flags, mode); };
  std::function<int(int directory, const char* path, mode_t mode)> mkdirat = ::mkdirat;
  std::function<ssize_t(int file, const iovec* pieces, int count)> writev = ::writev;
  std::function<ssize_t(int file, void* bytes, std::size_t size, off_t start)> pread = ::pread;
  std::function<ssize_t(int file, const void* bytes, std::size_t size, off_t start)> pwrite = ::pwrite;
  std::function<int(int file)> fsync = ::fsync;
  /// Syncs the file system in which `file` lies.
  std::function<int(int file)> syncfs = detail::sync_file_system;
  /// Closes what was written; some file systems report a failed write only here.
  std::function<int(int file)> close = ::close;
  std::function<int(int from_directory, const char* from, int to_directory, const char* to)> renameat = ::renameat;
  /// renameat2 with RENAME_NOREPLACE: fails with EEXIST if `to` is there.
  std::function<int(int from_directory, const char* from, int to_directory, const char* to)> renameat_new =
      detail::renameat_new;
  std::function<int(int from_directory, const char* from, int to_directory, const char* to, int flags)> linkat =
      ::linkat;
  std::function<int(int directory, const char* path, int flags)> unlinkat = ::unlinkat;
  std::function<int(int file, struct stat* status)> fstat = ::fstat;
  std::function<int(int directory, const char* path, struct stat* status, int flags)> fstatat = ::fstatat;
  std::function<DIR*(int directory)> fdopendir = ::fdopendir;
  std::function<dirent*(DIR* stream)> readdir = ::readdir;
  /// Locks `file` for this one opening of it, without waiting: EAGAIN or EACCES if another one has it.
  std::function<int(int file)> lock = detail::lock_open_file;
};

TENSORTAP_END_NAMESPACE
