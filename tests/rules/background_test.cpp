#include <tensortap/rules/background.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

tt::Finding named(const std::string& tensor) { return {.rule = "r", .tensor = tensor}; }

}  // namespace

TEST_CASE("actions in the background are taken in order, and their exceptions counted", "[rules][background]") {
  std::mutex mutex;
  std::vector<std::string> seen;
  {
    const tt::Background background([&](const tt::Finding& finding) {
      const std::lock_guard lock(mutex);
      seen.push_back(finding.tensor);
      if (finding.tensor == "b") throw std::runtime_error("no");
    });
    const tt::Background copy = background;  // NOLINT(performance-unnecessary-copy-initialization)
    for (const char* name : {"a", "b", "c"}) copy(named(name));
    while (background.counts().taken + background.counts().failed < 3) std::this_thread::sleep_for(1ms);
    CHECK(background.counts() == tt::BackgroundCounts{.taken = 2, .failed = 1, .dropped = 0});
  }
  CHECK(seen == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("an action that hangs holds neither its caller nor the end", "[rules][background]") {
  const auto release = std::make_shared<std::promise<void>>();
  const auto released = std::make_shared<std::shared_future<void>>(release->get_future());
  const auto begin = std::chrono::steady_clock::now();
  {
    const tt::Background background([released](const tt::Finding&) { released->wait(); },
                                    {.queue = 4, .at_most = 100, .patience = 50ms});
    for (int i = 0; i < 50; ++i) background(named("x"));
    CHECK(background.counts().dropped >= 45);
    CHECK(background.counts().taken == 0);
  }
  CHECK(std::chrono::steady_clock::now() - begin < 20s);
  release->set_value();
}

TEST_CASE("findings beyond the rate are dropped and counted", "[rules][background]") {
  std::atomic<int> calls = 0;
  {
    const tt::Background background([&](const tt::Finding&) { ++calls; }, {.at_most = 3, .period = 1h});
    for (int i = 0; i < 10; ++i) background(named("x"));
    CHECK(background.counts().dropped == 7);
  }
  CHECK(calls == 3);
}
