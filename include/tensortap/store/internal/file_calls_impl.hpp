// The system calls that FileCalls holds by default.
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
#include <chrono>
#include <thread>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline int open_file_at(int directory, const char* path, int flags, mode_t mode) {
  return ::openat(directory, path, flags, mode);
}

inline int rename_to_new_name(int from_directory, const char* from, int to_directory, const char* to) {
#ifdef SYS_renameat2
  constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE, which some C libraries do not define
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

/// Takes a lock that belongs to the open file description: it also excludes other threads of this process, and ends
/// with its last descriptor, however the process ends.
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

}  // namespace detail

TENSORTAP_INLINE FileCalls::FileCalls()
    : openat(detail::open_file_at),
      mkdirat(::mkdirat),
      writev(::writev),
      pread(::pread),
      pwrite(::pwrite),
      fsync(::fsync),
      syncfs(detail::sync_file_system),
      close(::close),
      renameat(::renameat),
      renameat_new(detail::rename_to_new_name),
      linkat(::linkat),
      unlinkat(::unlinkat),
      fstat(::fstat),
      fstatat(::fstatat),
      fdopendir(::fdopendir),
      readdir(::readdir),
      lock(detail::lock_open_file),
      sleep([](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }) {}

TENSORTAP_END_NAMESPACE
