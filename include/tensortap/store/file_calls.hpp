// The system calls of a FileStore, as callables, so that a test can let one of them fail or record them all. Calls
// whose failure does not matter are missing, such as closing a file that was only read.
//
//   tensortap::FileCalls calls;
//   calls.fsync = [](int) { return errno = EIO, -1; };
//   tensortap::FileStore store("runs/42", calls);
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <functional>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The system calls. Each behaves as its manual page says: on failure it returns -1 or null and sets errno.
struct FileCalls {
  /// Sets each to the call of the system. A call that the system lacks fails with ENOSYS; FileStore works without it.
  FileCalls();

  std::function<int(int directory, const char* path, int flags, mode_t mode)> openat;
  std::function<int(int directory, const char* path, mode_t mode)> mkdirat;
  std::function<ssize_t(int file, const iovec* pieces, int count)> writev;
  std::function<ssize_t(int file, void* bytes, std::size_t size, off_t start)> pread;
  std::function<ssize_t(int file, const void* bytes, std::size_t size, off_t start)> pwrite;
  std::function<int(int file)> fsync;
  /// Syncs the file system that contains `file`.
  std::function<int(int file)> syncfs;
  /// Closes a file that was written; some file systems report a failed write only here.
  std::function<int(int file)> close;
  std::function<int(int from_directory, const char* from, int to_directory, const char* to)> renameat;
  /// renameat2 with RENAME_NOREPLACE: fails with EEXIST if `to` exists.
  std::function<int(int from_directory, const char* from, int to_directory, const char* to)> renameat_new;
  std::function<int(int from_directory, const char* from, int to_directory, const char* to, int flags)> linkat;
  std::function<int(int directory, const char* path, int flags)> unlinkat;
  std::function<int(int file, struct stat* status)> fstat;
  std::function<int(int directory, const char* path, struct stat* status, int flags)> fstatat;
  std::function<DIR*(int directory)> fdopendir;
  std::function<dirent*(DIR* stream)> readdir;
  /// Locks `file` for this open file description without waiting; fails with EAGAIN or EACCES if another one holds the
  /// lock.
  std::function<int(int file)> lock;
  /// Waits until another process has finished what it does in a moment.
  std::function<void(std::chrono::nanoseconds)> sleep;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/file_calls_impl.hpp>
#endif
