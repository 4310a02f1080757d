// Threads of the library's own.
//
//   std::thread thread = tensortap::detail::start_thread([] {});
//   thread.join();
#pragma once

#include <signal.h>

#include <thread>
#include <utility>

namespace tensortap::inline v0::detail {

/// Starts a thread that leaves all signals to those of the program. Throws: std::system_error, there can be no more.
template <class Thread = std::thread, class Work>
[[nodiscard]] Thread start_thread(Work work) {
  struct Blocked {
    Blocked() {
      sigset_t all;
      ::sigfillset(&all);
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

}  // namespace tensortap::inline v0::detail
