#include <tensortap/stop.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using Clock = tt::StopSignal::Clock;
using namespace std::chrono_literals;

TEST_CASE("StopSignal: there is no request at first", "[base][stop]") {
  const tt::StopSignal stop;
  CHECK_FALSE(stop.requested());
  CHECK(stop.reason() == tt::StopReason::none);
  CHECK_FALSE(stop.time_left());
}

TEST_CASE("StopSignal: the first reason stays", "[base][stop]") {
  tt::StopSignal stop;
  CHECK(stop.request(tt::StopReason::rule));
  CHECK_FALSE(stop.request(tt::StopReason::signal));
  CHECK(stop.requested());
  CHECK(stop.reason() == tt::StopReason::rule);
  CHECK_FALSE(stop.time_left());
}

TEST_CASE("StopSignal: a request without a reason is ignored", "[base][stop]") {
  tt::StopSignal stop;
  CHECK_FALSE(stop.request(tt::StopReason::none, Clock::now()));
  CHECK_FALSE(stop.requested());
}

TEST_CASE("StopSignal: the earliest deadline counts", "[base][stop]") {
  tt::StopSignal stop;
  stop.request(tt::StopReason::user);
  stop.request(tt::StopReason::signal, Clock::now() + 1h);
  REQUIRE(stop.time_left());
  CHECK(*stop.time_left() > 59min);
  CHECK(*stop.time_left() <= 1h);
  stop.request(tt::StopReason::notice, Clock::now() + 10h);
  CHECK(*stop.time_left() <= 1h);
  stop.request(tt::StopReason::notice, Clock::now() - 1s);
  CHECK(*stop.time_left() == 0s);
  CHECK(stop.reason() == tt::StopReason::user);
}

TEST_CASE("StopSignal: a request may have any deadline", "[base][stop]") {
  for (const auto ticks : {Clock::duration::min(), Clock::duration(-1), Clock::duration(0), Clock::duration(7)}) {
    tt::StopSignal stop;
    CHECK(stop.request(tt::StopReason::signal, Clock::time_point(ticks)));
    CHECK(stop.reason() == tt::StopReason::signal);
  }
}

TEST_CASE("StopSignal: copies share the request, and a move copies", "[base][stop]") {
  tt::StopSignal stop;
  tt::StopSignal copy = stop, moved = std::move(stop);
  copy.request(tt::StopReason::user);
  CHECK(stop.requested());
  CHECK(moved.requested());
  CHECK_FALSE(tt::StopSignal().requested());
}

TEST_CASE("StopSignal: one of several concurrent requests is the first, and the earliest deadline counts",
          "[base][stop]") {
  for (int round = 0; round < 50; ++round) {
    tt::StopSignal stop;
    std::atomic<int> firsts = 0;
    const Clock::time_point now = Clock::now();
    {
      std::vector<std::jthread> threads;
      for (int i = 1; i <= 4; ++i)
        threads.emplace_back([&, i] {
          if (stop.request(tt::StopReason::signal, now + i * 1h)) ++firsts;
        });
    }
    CHECK(firsts == 1);
    CHECK(*stop.time_left() <= 1h);
    CHECK(*stop.time_left() > 0s);
  }
}

TEST_CASE("StopReason: names", "[base][stop]") {
  CHECK(tt::to_string(tt::StopReason::none) == "none");
  CHECK(tt::to_string(tt::StopReason::user) == "user");
}
