// A small process that kills a process group if this process dies, however it dies. The kernel's PR_SET_PDEATHSIG kills
// one process, but not what that has started.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Guards a process group until it is destroyed. If the guard cannot be started, nothing is guarded. Threads: one.
class GroupGuard {
 public:
  /// Guards no group.
  GroupGuard() = default;

  explicit GroupGuard(pid_t group) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    const Descriptor from_manager = above_standard_streams(Descriptor(ends[0]));
    to_guard_ = above_standard_streams(Descriptor(ends[1]));
    pid_ = ::fork();
    if (pid_ == 0) watch(from_manager.get(), group);
    if (pid_ < 0) to_guard_ = {};
  }
  GroupGuard(GroupGuard&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), to_guard_(std::move(other.to_guard_)) {}
  GroupGuard& operator=(GroupGuard&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(to_guard_, other.to_guard_);
    return *this;
  }

  /// The group has ended, or this process kills it itself.
  ~GroupGuard() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    uninterrupted([&] { return ::waitpid(pid_, nullptr, 0); });
  }

 private:
  /// The guard: waits until the manager is gone. It makes only calls that are safe after a fork. It is in a session of
  /// its own and takes no signals, so that what ends the manager does not end it.
  [[noreturn]] static void watch(int from_manager, pid_t group) {
    ::setsid();
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    if (::dup2(from_manager, STDIN_FILENO) < 0) ::_exit(1);
    close_from(STDOUT_FILENO);  // claims and pipes end with the manager
    char byte = 0;
    const ssize_t n = uninterrupted([&] { return ::read(STDIN_FILENO, &byte, 1); });
    if (n == 0) ::kill(-group, SIGKILL);
    ::_exit(0);
  }

  static void close_from(int first) {
#ifdef SYS_close_range
    if (::syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U) == 0) return;
#endif
    const long most = ::sysconf(_SC_OPEN_MAX);
    for (long file = first; file < most; ++file) ::close(static_cast<int>(file));
  }

  pid_t pid_ = -1;
  Descriptor to_guard_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
