#include <tensortap/internal/retry.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;
using tt::detail::Retries;

namespace {

/// Returns the delays that `policy` allows, each scaled by `jitter`.
std::vector<std::chrono::nanoseconds> delays(const tt::RetryPolicy& policy, double jitter = 1) {
  Retries retries(policy);
  std::vector<std::chrono::nanoseconds> out;
  while (const auto delay = retries.next(jitter)) out.push_back(*delay);
  return out;
}

}  // namespace

TEST_CASE("the delay doubles from attempt to attempt up to the longest delay", "[internal][retry]") {
  const tt::RetryPolicy policy{.attempts = 7, .first_delay = 10ms, .longest_delay = 100ms};
  CHECK(delays(policy) == std::vector<std::chrono::nanoseconds>{10ms, 20ms, 40ms, 80ms, 100ms, 100ms});
}

TEST_CASE("the number of attempts includes the first call", "[internal][retry]") {
  CHECK(delays({.attempts = 1}).empty());
  CHECK(delays({.attempts = 0}).empty());
  CHECK(delays({.attempts = 3}).size() == 2);
  CHECK(delays({}).size() == 35);  // 10 + 20 + … + 640 ms, then 28 times 1 s
}

TEST_CASE("the delay stays at its longest after any number of attempts", "[internal][retry]") {
  const auto all = delays({.attempts = 200, .for_at_most = 24h, .first_delay = 1ns, .longest_delay = 30s});
  REQUIRE(all.size() == 199);
  CHECK(all[10] == 1024ns);
  CHECK(all.back() == 30s);
}

TEST_CASE("the sum of the delays stays within for_at_most", "[internal][retry]") {
  const tt::RetryPolicy policy{.attempts = 100, .for_at_most = 70ms, .first_delay = 10ms, .longest_delay = 1s};
  CHECK(delays(policy) == std::vector<std::chrono::nanoseconds>{10ms, 20ms, 40ms});
  CHECK(delays({.attempts = 100, .for_at_most = 69ms, .first_delay = 10ms}).size() == 2);
  CHECK(delays({.attempts = 100, .for_at_most = 0ns, .first_delay = 10ms}).empty());
}

TEST_CASE("jitter scales the delay and is limited to the range from 0 to 1", "[internal][retry]") {
  const tt::RetryPolicy policy{.attempts = 4, .first_delay = 10ms, .longest_delay = 1s};
  CHECK(delays(policy, 0.5) == std::vector<std::chrono::nanoseconds>{5ms, 10ms, 20ms});
  CHECK(delays(policy, 0) == std::vector<std::chrono::nanoseconds>{0ms, 0ms, 0ms});
  CHECK(delays(policy, 7) == delays(policy, 1));
  CHECK(delays(policy, -1) == delays(policy, 0));
}

TEST_CASE("attempts and delays are counted", "[internal][retry]") {
  Retries retries({.attempts = 3, .first_delay = 10ms});
  CHECK(retries.attempts() == 1);
  CHECK(retries.waited() == 0ns);
  CHECK(retries.next());
  CHECK(retries.attempts() == 2);
  CHECK(retries.waited() == 10ms);
  CHECK(retries.next());
  CHECK_FALSE(retries.next());
  CHECK(retries.attempts() == 3);
  CHECK(retries.waited() == 30ms);
}

TEST_CASE("a call is repeated until it succeeds", "[internal][retry]") {
  Retries retries({.attempts = 5, .first_delay = 10ms});
  std::vector<std::chrono::nanoseconds> waits;
  int calls = 0;
  const auto call = [&] {
    if (++calls < 3) throw tt::Error::io("store", "key", "it is busy");
    return std::string("done");
  };
  const auto wait = [&](std::chrono::nanoseconds delay) {
    waits.push_back(delay);
    return true;
  };
  CHECK(tt::detail::retry(retries, call, wait) == "done");
  CHECK(calls == 3);
  CHECK(waits == std::vector<std::chrono::nanoseconds>{10ms, 20ms});
}

TEST_CASE("the last error is thrown after the last attempt", "[internal][retry]") {
  Retries retries({.attempts = 3, .first_delay = 0ns});
  int calls = 0;
  const auto call = [&] { throw tt::Error::io("store", "key", "failure " + std::to_string(++calls)); };
  CHECK_THROWS_WITH(tt::detail::retry(retries, call, [](auto) { return true; }), contains("failure 3"));
  CHECK(calls == 3);
}

TEST_CASE("only failures of the store are repeated", "[internal][retry]") {
  for (const tt::Error& error : {tt::Error::damaged("index", "key", "no JSON"), tt::Error::run_has_ended("run")}) {
    Retries retries({.attempts = 3, .first_delay = 0ns});
    int calls = 0;
    const auto call = [&] {
      ++calls;
      throw tt::Error(error);
    };
    CHECK_THROWS_AS(tt::detail::retry(retries, call, [](auto) { return true; }), tt::Error);
    CHECK(calls == 1);
  }
  Retries retries({.attempts = 3, .first_delay = 0ns});
  int calls = 0;
  const auto call = [&] {
    ++calls;
    throw std::string("not an Error");
  };
  CHECK_THROWS_AS(tt::detail::retry(retries, call, [](auto) { return true; }), std::string);
  CHECK(calls == 1);
}

TEST_CASE("an interrupted wait ends the repetition with the error", "[internal][retry]") {
  Retries retries({.attempts = 10, .first_delay = 10ms});
  int calls = 0;
  const auto call = [&] { throw tt::Error::io("store", "key", "failure " + std::to_string(++calls)); };
  const auto wait = [&](std::chrono::nanoseconds) { return calls < 2; };
  CHECK_THROWS_WITH(tt::detail::retry(retries, call, wait), contains("failure 2"));
  CHECK(calls == 2);
}

TEST_CASE("a delay that is asked for is taken as far as the policy allows", "[internal][retry]") {
  Retries retries({.for_at_most = 10s, .first_delay = 1s, .longest_delay = 4s});
  CHECK(retries.next(1, 3s) == 3s);
  CHECK(retries.next(1, 100'000s) == 4s);    // the longest delay
  CHECK(retries.next(0.5, 100'000s) == 3s);  // what is left of ten seconds
  CHECK_FALSE(retries.next(1, 100'000s));
}
