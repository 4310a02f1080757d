// Starts the threads of the library.
//
//   std::thread thread = tensortap::detail::start_thread([] {});
//   thread.join();
#pragma once

#include <signal.h>

#include <initializer_list>
#include <thread>
#include <utility>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Starts a thread that blocks all signals except those of its own faults, so that the threads of the program handle
/// them. Throws: std::system_error, the system allows no more threads.
template <class Thread = std::thread, class Work>
[[nodiscard]] Thread start_thread(Work work) {
  struct Blocked {
    Blocked() {
      sigset_t all;
      ::sigfillset(&all);
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) ::sigdelset(&all, fault);
      ::pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
    ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before;
  };
  const Blocked blocked;
  return Thread(std::move(work));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
