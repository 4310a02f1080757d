#include <tensortap/store/internal/file_claim.hpp>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <tensortap/error.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/file_calls.hpp>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "store/conformance.hpp"
#include "store/temporary_directory.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;
using conformance::text;

namespace {

/// Runs `work()` in another process; returns its exit code.
template <class Work>
pid_t in_process(const Work& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 1;
  try {
    code = work();
  } catch (...) {
  }
  ::_exit(code);
}

int exit_code(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void kill_and_wait(pid_t child) {
  ::kill(child, SIGKILL);
  (void)exit_code(child);
}

/// A pipe between processes.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_in();
    ::close(ends_[0]);
  }
  void close_in() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  void tell() const { (void)!::write(ends_[1], "x", 1); }
  /// Waits for a tell(): returns true; returns false once all writing ends are closed.
  bool wait() const {
    char c = 0;
    return ::read(ends_[0], &c, 1) == 1;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace

TEST_CASE("a claim keeps other processes out for as long as its process lives", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  const Pipe claimed;
  const pid_t child = in_process([&] {
    const auto claim = store.claim("claim.smd", "child");
    if (claim) claimed.tell();
    for (;;) ::pause();
    return 0;
  });
  REQUIRE(claimed.wait());
  CHECK_FALSE(store.claim("claim.smd", "parent"));
  CHECK(text(store, "claim.smd") == "child");
  kill_and_wait(child);
  CHECK(text(store, "claim.smd") == "child");
  const auto claim = store.claim("claim.smd", "parent");
  REQUIRE(claim);
  CHECK(text(store, "claim.smd") == "parent");
}

TEST_CASE("a claim ends with its process, though children of that live on", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  const Pipe ready;
  Pipe end;  // of the test, for the grandchild
  const pid_t child = in_process([&] {
    end.close_in();
    const auto claim = store.claim("claim.smd", "child");
    if (!claim) return 1;
    in_process([&] {
      ready.tell();
      return end.wait() ? 1 : 0;
    });
    for (;;) ::pause();
    return 0;
  });
  REQUIRE(ready.wait());
  CHECK_FALSE(store.claim("claim.smd", "third"));
  kill_and_wait(child);
  CHECK(store.claim("claim.smd", "third"));
}

TEST_CASE("a forked child neither holds nor ends its parent's claim", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  auto claim = store.claim("claim.smd", "parent");
  REQUIRE(claim);
  CHECK(exit_code(in_process([&] {
          if (store.claim("claim.smd", "child")) return 2;
          const auto own = store.claim("own.smd", "child");
          claim.reset();
          if (store.claim("claim.smd", "child")) return 3;
          ::_exit(own ? 0 : 4);
        })) == 0);
  CHECK(text(store, "claim.smd") == "parent");
  CHECK_FALSE(store.claim("claim.smd", "another"));
  claim.reset();
  CHECK_FALSE(store.get("claim.smd"));
  CHECK(text(store, "own.smd") == "child");
  CHECK(store.claim("own.smd", "parent"));
}

TEST_CASE("a child that another thread forks during a claim does not hold it", "[store][file_claim]") {
  const TemporaryDirectory directory;
  const Pipe ready;
  Pipe end;  // of the test, for the grandchild
  const pid_t child = in_process([&] {
    end.close_in();
    std::atomic<bool> forked = false;
    std::thread forks;
    tt::FileCalls calls;
    calls.lock = [&](int file) {
      const int result = tt::FileCalls().lock(file);
      forks = std::thread([&] {
        in_process([&] {
          ready.tell();  // it has closed its copy
          return end.wait() ? 1 : 0;
        });
        forked = true;
      });
      // The fork must wait for the claim, however long this thread waits.
      for (int i = 0; i < 50 && !forked; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return result;
    };
    tt::FileStore store(directory / "run", calls);
    const auto claim = store.claim("claim.smd", "child");
    forks.join();
    if (claim) ready.tell();
    for (;;) ::pause();
    return 0;
  });
  REQUIRE(ready.wait());
  REQUIRE(ready.wait());  // child and grandchild, in either order
  tt::FileStore store(directory / "run");
  CHECK_FALSE(store.claim("claim.smd", "third"));
  kill_and_wait(child);
  CHECK(store.claim("claim.smd", "third"));
}

TEST_CASE("a claim that gets a new owner during an attempt to take it stays with that owner", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore others(directory / "run");
  const Pipe order;
  const Pipe done;
  const pid_t child = in_process([&] {
    auto claim = others.claim("claim.smd", "first");
    done.tell();
    order.wait();
    claim.reset();
    claim = others.claim("claim.smd", "second");
    done.tell();
    order.wait();
    claim.reset();
    done.tell();
    return 0;
  });
  REQUIRE(done.wait());
  const auto next = [&] {
    order.tell();
    return done.wait();
  };
  int locks = 0;
  bool lets_go = false;
  tt::FileCalls calls;
  calls.lock = [&](int file) {
    if (++locks == 1) next();  // the file of the first claim is open; now the second claim replaces it
    const int result = tt::FileCalls().lock(file);
    if (locks == 1 && lets_go) next();
    return result;
  };
  tt::FileStore store(directory / "run", calls);
  SECTION("which holds it") {
    CHECK_FALSE(store.claim("claim.smd", "third"));
    CHECK(text(store, "claim.smd") == "second");
    CHECK(locks == 2);
    next();
  }
  SECTION("which has let it go") {
    lets_go = true;
    CHECK(store.claim("claim.smd", "third"));
    CHECK(locks == 2);
  }
  CHECK(exit_code(child) == 0);
}

TEST_CASE("one of several processes at a time holds a claim", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  store.put("claim.smd", "");  // as smdebug leaves it
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(in_process([&] {
      for (int turns = 0; turns < 30;) {
        const auto claim = store.claim("claim.smd", std::to_string(::getpid()));
        if (!claim) continue;
        if (text(store, "claim.smd") != std::to_string(::getpid())) return 2;
        if (!store.put("holder", "x", tt::Sync::no, tt::IfExists::keep)) return 3;
        if (!store.remove("holder")) return 4;
        if (++turns == 30) ::_exit(0);  // dies with the claim
      }
      return 5;
    }));
  for (const pid_t child : children) CHECK(exit_code(child) == 0);
  CHECK(store.claim("claim.smd", "me"));
}

TEST_CASE("two stores of one process exclude each other", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore one(directory / "run");
  tt::FileStore two(directory / "run");
  auto claim = one.claim("claim.smd", "one");
  CHECK_FALSE(two.claim("claim.smd", "two"));
  claim.reset();
  claim = two.claim("claim.smd", "two");
  CHECK(claim);
  CHECK_FALSE(one.claim("claim.smd", "one"));
}

TEST_CASE("releasing a claim whose file was removed or replaced does not remove another claim", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  auto first = store.claim("claim.smd", "first");
  SECTION("removed") { fs::remove(directory / "run/claim.smd"); }
  SECTION("replaced") { store.put("claim.smd", "another claim"); }
  SECTION("with its directory") { fs::remove_all(directory / "run"); }
  const auto second = store.claim("claim.smd", "second");
  REQUIRE(second);
  first.reset();
  CHECK(text(store, "claim.smd") == "second");
  CHECK_FALSE(store.claim("claim.smd", "third"));
}

TEST_CASE("a key that is not a regular file cannot be claimed", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  store.put("directory/x", "x");
  std::ofstream(directory / "secret") << "secret";
  fs::create_symlink(directory / "secret", directory / "run/link");
  fs::create_symlink(directory / "nothing", directory / "run/dangling");
  REQUIRE(::mkfifo((directory / "run/pipe").c_str(), 0600) == 0);
  for (const std::string key : {"directory", "link", "dangling", "pipe", "directory/x/y"}) {
    CAPTURE(key);
    CHECK_THROWS_AS(store.claim(key, "me"), tt::Error);
  }
  CHECK(fs::file_size(directory / "secret") == 6);
  CHECK_FALSE(fs::exists(directory / "nothing"));
  CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
}

TEST_CASE("a claim does not expire", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "run");
  const auto now = fs::file_time_type::clock::now();
  for (const auto shift : {std::chrono::hours(-24 * 365 * 40), std::chrono::hours(24 * 365 * 10)}) {
    const auto claim = store.claim("held.smd", "me");
    store.put("stale.smd", "a dead process");
    for (const char* name : {"run/held.smd", "run/stale.smd", "run"})
      fs::last_write_time(directory / name, now + shift);
    CHECK_FALSE(store.claim("held.smd", "you"));
    CHECK(store.claim("stale.smd", "you"));
  }
}

TEST_CASE("every claim is granted on a file system without locks", "[store][file_claim]") {
  for (const int error : {EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP}) {
    const TemporaryDirectory directory;
    tt::FileCalls calls;
    calls.lock = [error](int) { return errno = error, -1; };
    tt::FileStore store(directory / "run", calls);
    auto first = store.claim("claim.smd", "first");
    CHECK(first);
    const auto second = store.claim("claim.smd", "second");
    CHECK(second);
    first.reset();
    CHECK(text(store, "claim.smd") == "second");
  }
}

TEST_CASE("a claim whose temporary is removed is tried again", "[store][file_claim]") {
  const TemporaryDirectory directory;
  tt::FileCalls calls;
  int times = 0;
  calls.renameat_new = [&](int from_directory, const char* from, int to_directory, const char* to) {
    if (++times <= 2) ::unlinkat(from_directory, from, 0);
    return tt::FileCalls().renameat_new(from_directory, from, to_directory, to);
  };
  tt::FileStore store(directory / "run", calls);
  SECTION("and granted") {
    const auto claim = store.claim("claim.smd", "me");
    CHECK(claim);
    CHECK(times == 3);
  }
  SECTION("but not for ever") {
    times = -1000;
    calls = {};
    calls.renameat_new = [](int, const char*, int, const char*) { return errno = EEXIST, -1; };
    tt::FileStore refusing(directory / "run", calls);
    CHECK_THROWS_WITH(refusing.claim("claim.smd", "me"), contains("store: cannot claim: "));
    CHECK(refusing.remove_unfinished([](std::string_view) { return true; }) == 0);
  }
}
