#include <tensortap/internal/thread.hpp>

#include <signal.h>

#include <stop_token>
#include <thread>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

bool is_blocked(int signal) {
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return ::sigismember(&now, signal) == 1;
}

}  // namespace

TEST_CASE("a thread of the library blocks all signals except those of its own faults", "[internal][thread]") {
  bool leaves_others = false, takes_faults = false;
  std::thread thread = tt::detail::start_thread([&] {
    leaves_others = is_blocked(SIGTERM) && is_blocked(SIGINT) && is_blocked(SIGUSR1) && is_blocked(SIGCHLD);
    takes_faults = !is_blocked(SIGSEGV) && !is_blocked(SIGBUS) && !is_blocked(SIGFPE) && !is_blocked(SIGILL);
  });
  CHECK_FALSE(is_blocked(SIGTERM));
  thread.join();
  CHECK(leaves_others);
  CHECK(takes_faults);
}

TEST_CASE("a thread of the library may take a stop token", "[internal][thread]") {
  bool was_asked = false;
  {
    const auto thread = tt::detail::start_thread<std::jthread>([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
      was_asked = true;
    });
  }
  CHECK(was_asked);
}
