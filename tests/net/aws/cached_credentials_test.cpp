#include <tensortap/net/aws/internal/cached_credentials.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "sanitizer.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;
using TimePoint = CachedCredentials::TimePoint;

namespace {

Credentials numbered(int number, std::optional<TimePoint> expires = {}) {
  return {.access_key_id = "ID" + std::to_string(number), .secret_access_key = "KEY", .expires = expires};
}

/// A clock and a source that a test sets.
struct Source {
  std::atomic<std::chrono::seconds> now = 0s;
  int calls = 0;
  std::function<Credentials(int call)> answer = [](int call) { return numbered(call); };
  CachedCredentials cached{[this] { return answer(++calls); }, [this] { return TimePoint(now.load()); }};

  std::string id() { return cached.get().access_key_id; }
  TimePoint in(std::chrono::seconds time) const { return TimePoint(now.load() + time); }
};

}  // namespace

TEST_CASE("credentials that never expire are fetched once", "[net][cached_credentials]") {
  Source source;
  CHECK(source.id() == "ID1");
  source.now = 24h * 365;
  CHECK(source.id() == "ID1");
}

TEST_CASE("credentials are renewed five minutes before they expire", "[net][cached_credentials]") {
  Source source;
  source.answer = [&](int call) { return numbered(call, source.in(1h)); };
  CHECK(source.id() == "ID1");
  source.now = 55min - 1s;
  CHECK(source.id() == "ID1");
  source.now = 55min;
  CHECK(source.id() == "ID2");
  CHECK(source.id() == "ID2");
}

TEST_CASE("a failed renewal keeps the old credentials while they are valid and is not repeated at once",
          "[net][cached_credentials]") {
  Source source;
  source.answer = [&](int call) {
    if (call > 1 && call < 4) throw Error::no_credentials("a test");
    return numbered(call, source.in(1h));
  };
  CHECK(source.id() == "ID1");
  source.now = 56min;
  CHECK(source.id() == "ID1");
  CHECK(source.id() == "ID1");
  CHECK(source.calls == 2);
  source.now = 56min + 10s;
  CHECK(source.id() == "ID1");
  CHECK(source.calls == 3);
  source.now = 57min;
  CHECK(source.id() == "ID4");
}

TEST_CASE("a failed renewal is an error once the old credentials have expired", "[net][cached_credentials]") {
  Source source;
  source.answer = [&](int call) {
    if (call == 2) throw Error::no_credentials("a test");
    if (call == 3) throw std::runtime_error("another");
    if (call == 4) throw 7;
    return numbered(call, source.in(1h));
  };
  CHECK(source.id() == "ID1");
  source.now = 1h;
  CHECK_THROWS_WITH(source.id(), contains("none found: a test"));
  CHECK_THROWS_WITH(source.id(), contains("none found: another"));
  CHECK_THROWS_AS(source.id(), Error);
  CHECK(source.id() == "ID5");
}

TEST_CASE("fresh credentials are accepted even if they have expired by the local clock", "[net][cached_credentials]") {
  Source source;
  source.now = 2h;
  source.answer = [&](int call) { return numbered(call, TimePoint(1h)); };
  CHECK(source.id() == "ID1");
  CHECK(source.id() == "ID1");  // and the source is not asked each time
  source.now = 2h + 10s;
  CHECK(source.id() == "ID2");
}

TEST_CASE("invalidate drops refused credentials and keeps newer ones", "[net][cached_credentials]") {
  Source source;
  const Credentials first = source.cached.get();
  source.cached.invalidate(first);
  CHECK(source.id() == "ID2");
  source.cached.invalidate(first);
  CHECK(source.id() == "ID2");
  CHECK(source.calls == 2);
}

TEST_CASE("without credentials one caller asks the source and the others wait", "[net][cached_credentials]") {
  constexpr int threads = 8;
  for (const bool fails : {false, true}) {
    std::atomic<int> calls = 0;
    std::atomic<int> arrived = 0;
    CachedCredentials cached([&] {
      ++calls;
      // Until the others wait, or almost.
      for (int i = 0; i < 5000 && arrived < threads; ++i) std::this_thread::sleep_for(1ms);
      std::this_thread::sleep_for(20ms);
      if (fails) throw Error::no_credentials("a test");
      return numbered(1);
    });
    std::atomic<int> found = 0, refused = 0;
    std::vector<std::jthread> all;
    for (int i = 0; i < threads; ++i)
      all.emplace_back([&] {
        ++arrived;
        try {
          found += cached.get().access_key_id == "ID1";
        } catch (const Error&) {
          ++refused;
        }
      });
    all.clear();
    CHECK(found == (fails ? 0 : threads));
    CHECK(refused == (fails ? threads : 0));
    if (fails)
      CHECK(calls < threads);  // one that came late may have asked again
    else
      CHECK(calls == 1);
  }
}

TEST_CASE("during a renewal other callers get the old credentials", "[net][cached_credentials]") {
  std::atomic<std::chrono::seconds> now = 0s;
  std::latch asked(1), served(1);
  std::atomic<int> calls = 0;
  CachedCredentials cached(
      [&] {
        const int call = ++calls;
        if (call == 2) {
          asked.count_down();
          served.wait();
        }
        return numbered(call, TimePoint(now.load() + 1h));
      },
      [&] { return TimePoint(now.load()); });
  CHECK(cached.get().access_key_id == "ID1");
  now = 57min;
  std::string renewed;
  std::jthread first([&] { renewed = cached.get().access_key_id; });
  asked.wait();
  for (int i = 0; i < 10; ++i) CHECK(cached.get().access_key_id == "ID1");
  served.count_down();
  first.join();
  CHECK(renewed == "ID2");
  CHECK(cached.get().access_key_id == "ID2");
  CHECK(calls == 2);
}

TEST_CASE("many threads use and invalidate cached credentials", "[net][cached_credentials]") {
  std::atomic<int> calls = 0, inside = 0;
  std::atomic<bool> overlapped = false;
  CachedCredentials cached([&] {
    if (++inside > 1) overlapped = true;
    Credentials fresh =
        numbered(++calls, std::chrono::system_clock::now() + 1min);  // due at once, were it not for the pause
    --inside;
    return fresh;
  });
  std::vector<std::jthread> all;
  for (int i = 0; i < 8; ++i)
    all.emplace_back([&] {
      for (int k = 0; k < 200; ++k) cached.invalidate(cached.get());
    });
  all.clear();
  CHECK_FALSE(overlapped);
  CHECK(calls >= 200);
  CHECK(calls <= 1601);
}

TEST_CASE("a caller stops waiting for credentials at its deadline and on a stop request", "[net][cached_credentials]") {
  std::latch asked(1), served(1);
  std::atomic<int> calls = 0;
  std::atomic<std::chrono::seconds> now = 0s;
  CachedCredentials cached(
      [&] {
        const int call = ++calls;
        asked.count_down();
        served.wait();
        return numbered(call, TimePoint(now.load() + 1h));
      },
      [&] { return TimePoint(now.load()); });
  const auto soon = [] { return CachedCredentials::Clock::now() + 20ms; };
  CHECK_THROWS_WITH(cached.get(soon()), contains("none in time: the deadline passed"));
  CHECK_THROWS_WITH(cached.get(soon()), contains("none in time"));  // one who finds the source busy
  std::stop_source stop;
  std::jthread stopping([&] {
    asked.wait();
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  CHECK_THROWS_WITH(cached.get(CachedCredentials::Clock::now() + 1min, stop.get_token()),
                    contains("a stop was requested"));
  CHECK(calls == 1);
  served.count_down();
  CHECK(cached.get().access_key_id == "ID1");  // what comes late is not lost
}

TEST_CASE("valid credentials are returned if a renewal misses the deadline", "[net][cached_credentials]") {
  std::latch served(1);
  std::atomic<std::chrono::seconds> now = 0s;
  int calls = 0;
  CachedCredentials cached(
      [&] {
        if (++calls > 1) served.wait();
        return numbered(calls, TimePoint(now.load() + 1h));
      },
      [&] { return TimePoint(now.load()); });
  CHECK(cached.get().access_key_id == "ID1");
  now = 57min;
  CHECK(cached.get(CachedCredentials::Clock::now() + 20ms).access_key_id == "ID1");
  served.count_down();
}

TEST_CASE("a forked child does not wait for its parent's request to the source", "[net][cached_credentials]") {
  if (WITH_THREAD_SANITIZER) return;  // it does not know the threads of a parent
  std::latch served(1);
  auto cached = std::make_unique<CachedCredentials>([&] {
    served.wait();
    return numbered(1);
  });
  CHECK_THROWS_AS(cached->get(CachedCredentials::Clock::now() + 20ms), Error);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(10);
    cached.reset();
    ::_exit(7);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  served.count_down();
  CHECK(cached->get().access_key_id == "ID1");
}
