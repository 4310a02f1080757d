// Writing to a connection that the other side has closed raises SIGPIPE, which kills a process by default. Neither
// cpp-httplib nor OpenSSL prevents it. Not for users.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// While one lives, this thread gets no SIGPIPE; the rest of the process, and how it takes the signal, is left alone.
/// A SIGPIPE by write() goes to the thread that wrote, so it waits here and is taken off.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    was_pending_ = is_pending();
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    int taken = 0;
    if (!was_pending_ && is_pending()) ::sigwait(&pipe_, &taken);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  static bool is_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGPIPE) == 1;
  }

  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
