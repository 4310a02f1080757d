#include <tensortap/spot/interruption.hpp>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds long_enough{30};

/// Sets the action of the signals for the length of a test; otherwise the test framework would handle them.
class Disposition {
 public:
  explicit Disposition(void (*handler)(int) = SIG_DFL) {
    struct sigaction action {};
    action.sa_handler = handler;
    set(action);
  }
  explicit Disposition(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    set(action);
  }
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;
  ~Disposition() {
    for (std::size_t i = 0; i < std::size(numbers); ++i) ::sigaction(numbers[i], &before_[i], nullptr);
  }

 private:
  void set(const struct sigaction& action) {
    for (std::size_t i = 0; i < std::size(numbers); ++i) ::sigaction(numbers[i], &action, &before_[i]);
  }
  static constexpr int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
  struct sigaction before_[std::size(numbers)] = {};
};

void (*handler_of(int number))(int) {
  struct sigaction action {};
  ::sigaction(number, nullptr, &action);
  return action.sa_handler;
}

std::atomic<int> heard = 0;
std::atomic<int> last_number = 0;
std::atomic<pid_t> last_sender = 0;
void count(int number) {
  last_number = number;
  ++heard;
}
void count_with_sender(int number, siginfo_t* info, void*) {
  last_sender = info->si_pid;
  count(number);
}

/// Waits for `condition`, long enough for any machine.
template <class Condition>
bool becomes(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + long_enough;
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  return condition();
}

/// Runs `child` in a forked process; returns its exit code, or minus the signal that ended it.
template <class Child>
int in_a_fork(const Child& child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child());
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::set<std::filesystem::path> threads_of_this_process() {
  using Entries = std::filesystem::directory_iterator;
  return {Entries("/proc/self/task"), Entries()};
}

}  // namespace

TEST_CASE("Interruption: each of its signals is a reason to stop, with a deadline", "[spot][interruption]") {
  const Disposition suspended;
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    const tt::Interruption notice({.grace = 1h});
    CHECK_FALSE(notice.signal().requested());
    ::raise(number);
    CHECK(notice.signal().reason() == tt::StopReason::signal);
    REQUIRE(notice.signal().time_left());
    CHECK(*notice.signal().time_left() <= 1h);
    CHECK(*notice.signal().time_left() > 59min);
  }
}

TEST_CASE("Interruption: two minutes are left by default, and any duration is allowed", "[spot][interruption]") {
  const Disposition suspended;
  const tt::Interruption usual, endless({.grace = tt::StopSignal::Clock::duration::max()}), none({.grace = -1s});
  ::raise(SIGTERM);
  CHECK(*usual.signal().time_left() > 119s);
  CHECK(*usual.signal().time_left() <= 120s);
  CHECK(endless.signal().requested());
  CHECK_FALSE(endless.signal().time_left());
  CHECK(*none.signal().time_left() == 0s);
}

TEST_CASE("Interruption: other signals are not changed", "[spot][interruption]") {
  const Disposition suspended(count);
  heard = 0;
  const tt::Interruption notice({.signal_numbers = {SIGUSR2, SIGUSR2}});
  ::raise(SIGTERM);
  CHECK(heard == 1);
  CHECK_FALSE(notice.signal().requested());
  ::raise(SIGUSR2);
  CHECK(heard == 2);
  CHECK(notice.signal().requested());
}

TEST_CASE("Interruption: earlier handlers are called too, each time", "[spot][interruption]") {
  const Disposition earlier(count);
  heard = 0;
  const tt::Interruption notice;
  ::raise(SIGTERM);
  CHECK(heard == 1);
  CHECK(last_number == SIGTERM);
  ::raise(SIGINT);
  ::raise(SIGINT);  // the second SIGINT does not end it: the program has a handler
  CHECK(heard == 3);
  CHECK(notice.signal().requested());
}

TEST_CASE("Interruption: an earlier SA_SIGINFO handler receives the signal's sender", "[spot][interruption]") {
  const Disposition earlier(count_with_sender);
  heard = 0;
  last_sender = 0;
  const tt::Interruption notice;
  ::kill(::getpid(), SIGUSR1);
  CHECK(becomes([] { return heard == 1; }));
  CHECK(last_sender == ::getpid());
  CHECK(notice.signal().requested());
}

TEST_CASE("Interruption: ignored signals are notices, and are ignored again after it", "[spot][interruption]") {
  const Disposition ignored(SIG_IGN);
  {
    const tt::Interruption notice;
    ::raise(SIGINT);
    ::raise(SIGINT);
    CHECK(notice.signal().requested());
    CHECK(handler_of(SIGINT) != SIG_IGN);
  }
  CHECK(handler_of(SIGINT) == SIG_IGN);
  ::raise(SIGINT);
}

TEST_CASE("Interruption: several at once, ended in any order", "[spot][interruption]") {
  const Disposition earlier(count);
  heard = 0;
  auto first = std::make_unique<tt::Interruption>(tt::InterruptionOptions{.grace = 1h});
  auto second = std::make_unique<tt::Interruption>(tt::InterruptionOptions{.grace = 10h});
  ::raise(SIGTERM);
  CHECK(heard == 1);
  CHECK(*first->signal().time_left() <= 1h);
  CHECK(*second->signal().time_left() > 9h);

  first.reset();
  const tt::Interruption third({.signal_numbers = {SIGTERM}});
  ::raise(SIGTERM);
  CHECK(heard == 2);
  CHECK(third.signal().requested());
  CHECK(handler_of(SIGINT) != count);
  second.reset();
  CHECK(handler_of(SIGINT) == count);
  CHECK(handler_of(SIGTERM) != count);
}

TEST_CASE("Interruption: a stop signal outlives it and is not raised any more", "[spot][interruption]") {
  const Disposition earlier(count);
  tt::StopSignal stop;
  {
    const tt::Interruption notice;
    stop = notice.signal();
  }
  ::raise(SIGTERM);
  CHECK_FALSE(stop.requested());
  CHECK(stop.request(tt::StopReason::user));
}

TEST_CASE("Interruption: a handler installed over it stays, and may call what it replaced", "[spot][interruption]") {
  static struct sigaction replaced;
  const Disposition earlier(count);
  heard = 0;
  {
    const tt::Interruption notice({.signal_numbers = {SIGTERM}});
    struct sigaction over {};
    over.sa_sigaction = [](int number, siginfo_t* info, void* context) {
      replaced.sa_sigaction(number, info, context);
      ++heard;
    };
    over.sa_flags = SA_SIGINFO;
    ::sigaction(SIGTERM, &over, &replaced);
    ::raise(SIGTERM);
    CHECK(notice.signal().requested());
    CHECK(heard == 2);
  }
  ::raise(SIGTERM);
  CHECK(heard == 4);
  const tt::Interruption again({.signal_numbers = {SIGTERM}});
  ::raise(SIGTERM);
  CHECK(again.signal().requested());
  CHECK(heard == 6);
  ::sigaction(SIGTERM, &replaced, nullptr);  // our handler is on top again and is removed with `again`
}

TEST_CASE("Interruption: the second SIGINT ends the process, the first and SIGTERM do not", "[spot][interruption]") {
  CHECK(in_a_fork([] {
          const Disposition suspended;
          const tt::Interruption notice;
          ::raise(SIGTERM);
          ::raise(SIGTERM);
          ::raise(SIGINT);
          return notice.signal().requested() ? 7 : 8;
        }) == 7);
  CHECK(in_a_fork([] {
          const Disposition suspended;
          const tt::Interruption notice;
          ::raise(SIGINT);
          ::raise(SIGINT);
          return 7;
        }) == -SIGINT);
}

TEST_CASE("Interruption: a forked child has a stop signal of its own, and can be left in any order",
          "[spot][interruption]") {
  const Disposition suspended;
  const TemporaryDirectory directory;
  const tt::Interruption notice({.file = directory / "stop"});
  CHECK(in_a_fork([&] {
          const tt::Interruption of_the_child;
          ::raise(SIGTERM);
          return notice.signal().requested() && of_the_child.signal().requested() ? 7 : 8;
        }) == 7);
  CHECK_FALSE(notice.signal().requested());
  if (WITH_THREAD_SANITIZER) return;  // it does not know the threads of a parent
  auto watched = std::make_unique<tt::Interruption>(tt::InterruptionOptions{.file = directory / "stop"});
  CHECK(in_a_fork([&] {
          watched.reset();  // its thread does not exist here
          return 7;
        }) == 7);
}

TEST_CASE("Interruption: a file that appears is a notice", "[spot][interruption]") {
  const Disposition suspended;
  const TemporaryDirectory directory;
  const tt::Interruption notice({.grace = 1h, .file = directory / "stop", .interval = 1ms});
  std::this_thread::sleep_for(10ms);
  CHECK_FALSE(notice.signal().requested());
  std::ofstream(directory / "stop").close();
  REQUIRE(becomes([&] { return notice.signal().requested(); }));
  CHECK(notice.signal().reason() == tt::StopReason::notice);
  CHECK(*notice.signal().time_left() > 59min);
}

TEST_CASE("Interruption: a relative file stays where it was named", "[spot][interruption]") {
  const Disposition suspended;
  const TemporaryDirectory directory;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  const tt::Interruption notice({.file = "stop", .interval = 1ms});
  std::filesystem::current_path(before);
  std::ofstream(directory / "stop").close();
  CHECK(becomes([&] { return notice.signal().requested(); }));
}

TEST_CASE("Interruption: a file that is there already is a notice, at once", "[spot][interruption]") {
  const Disposition suspended;
  const TemporaryDirectory directory;
  std::ofstream(directory / "stop").close();
  const tt::Interruption notice({.file = directory / "stop", .interval = 24h * 365});
  CHECK(becomes([&] { return notice.signal().requested(); }));
}

TEST_CASE("Interruption: a callable returns the time left; its errors are counted", "[spot][interruption]") {
  const Disposition suspended;
  int asked = 0;
  const tt::Interruption notice({.poll = [&]() -> std::optional<std::chrono::minutes> {
                                   if (++asked <= 2) throw std::runtime_error("no route to host");
                                   if (asked == 3) throw 3;
                                   if (asked == 4) return std::nullopt;
                                   return 90min;
                                 },
                                 .interval = 1us});
  REQUIRE(becomes([&] { return notice.signal().requested(); }));
  CHECK(notice.signal().reason() == tt::StopReason::notice);
  CHECK(*notice.signal().time_left() > 89min);
  CHECK(*notice.signal().time_left() <= 90min);
  CHECK(notice.failed_polls() == 3);
}

TEST_CASE("Interruption: one thread watches, only if there is a file or a callable, and ends at once",
          "[spot][interruption]") {
  const Disposition suspended;
  const auto before = threads_of_this_process();
  const auto new_threads = [&] {  // one of an earlier test may end meanwhile
    const auto now = threads_of_this_process();
    return std::count_if(now.begin(), now.end(), [&](const auto& thread) { return !before.contains(thread); });
  };
  const tt::Interruption without;
  CHECK(new_threads() == 0);
  const auto start = std::chrono::steady_clock::now();
  {
    const tt::Interruption watching({.file = "/nowhere", .poll = [] { return std::nullopt; }, .interval = 24h});
    CHECK(new_threads() == 1);
  }
  CHECK(std::chrono::steady_clock::now() - start < long_enough);
  CHECK(becomes([&] { return new_threads() == 0; }));
}

TEST_CASE("Interruption: signals to any thread, while others are made and destroyed", "[spot][interruption]") {
  const Disposition earlier(count);
  heard = 0;
  constexpr int rounds = 200;
  const tt::Interruption notice({.poll = [] { return std::nullopt; }, .interval = 1ms});
  {
    std::jthread sender([] {
      for (int i = 0; i < rounds; ++i) ::pthread_kill(::pthread_self(), SIGTERM);
    });
    std::jthread reader([&] {
      while (!notice.signal().requested()) std::this_thread::yield();
    });
    for (int i = 0; i < rounds; ++i) {
      const tt::Interruption other({.signal_numbers = {SIGTERM, SIGUSR2}});
      ::raise(SIGUSR2);
      ::pthread_kill(sender.native_handle(), SIGUSR1);  // simultaneous signals count as one
      CHECK(other.signal().requested());
    }
  }
  CHECK(notice.signal().requested());
  CHECK(becomes([] { return heard >= 2 * rounds; }));
}

TEST_CASE("Interruption: invalid options are refused", "[spot][interruption]") {
  const Disposition suspended;
  for (const int number : {SIGKILL, SIGSTOP, 0, -1, 65, 32})
    CHECK_THROWS_WITH(tt::Interruption({.signal_numbers = {SIGTERM, number}}),
                      "interruption: option signal_numbers: signal " + std::to_string(number) +
                          " cannot be handled; name others, such as SIGTERM");
  CHECK_THROWS_WITH(tt::Interruption({.interval = 0s}),
                    "interruption: option interval: it is not positive; leave it out for one second");
  CHECK(handler_of(SIGTERM) == SIG_DFL);
}

TEST_CASE("a poll that ends the program does not wait for itself", "[spot][interruption]") {
  const pid_t child = ::fork();
  if (child == 0) {
    static std::atomic<bool> is_made = false;
    static std::unique_ptr<tt::Interruption> global;
    global = std::make_unique<tt::Interruption>(
        tt::InterruptionOptions{.poll = []() -> std::optional<tt::InterruptionOptions::Duration> {
                                  if (!is_made) return std::nullopt;
                                  global.reset();  // as std::exit does with a global
                                  ::_exit(3);
                                },
                                .interval = 1ms});
    is_made = true;
    std::this_thread::sleep_for(60s);
    ::_exit(4);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
}
