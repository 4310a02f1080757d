#include <tensortap/internal/parallel_for.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// A point where threads wait for each other, at most 20 seconds.
class Meeting {
 public:
  explicit Meeting(std::size_t expected) : expected_(expected) {}

  /// Blocks until all threads have arrived. Returns false if some have not after 20 seconds.
  bool wait() {
    std::unique_lock lock(mutex_);
    ++here_;
    all_here_.notify_all();
    return all_here_.wait_for(lock, std::chrono::seconds(20), [&] { return here_ >= expected_; });
  }

 private:
  std::size_t expected_;
  std::size_t here_ = 0;
  std::mutex mutex_;
  std::condition_variable all_here_;
};

}  // namespace

TEST_CASE("every call is made once, for any number of threads", "[internal][parallel_for]") {
  for (const std::size_t count : {0u, 1u, 2u, 31u, 1000u})
    for (const std::size_t at_once : {0u, 1u, 2u, 32u}) {
      std::vector<std::atomic<int>> calls(count);
      tt::detail::parallel_for(count, at_once, [&](std::size_t i) { ++calls[i]; });
      for (const auto& n : calls) CHECK(n == 1);
    }
}

TEST_CASE("the requested number of calls runs at the same time, and no more", "[internal][parallel_for]") {
  constexpr std::size_t at_once = 8;
  Meeting meeting(at_once);
  std::atomic<std::size_t> running = 0, most = 0, missed = 0;
  tt::detail::parallel_for(at_once * 20, at_once, [&](std::size_t i) {
    const std::size_t now = ++running;
    for (std::size_t before = most; before < now && !most.compare_exchange_weak(before, now);) {
    }
    if (i < at_once && !meeting.wait()) ++missed;
    --running;
  });
  CHECK(most == at_once);
  CHECK(missed == 0);
}

TEST_CASE("with one call at a time it is a loop in this thread, which ends at the first exception",
          "[internal][parallel_for]") {
  std::vector<std::size_t> seen;
  const auto here = std::this_thread::get_id();
  const auto call = [&](std::size_t i) {
    CHECK(std::this_thread::get_id() == here);
    seen.push_back(i);
    if (i == 3) throw std::runtime_error("three");
  };
  CHECK_THROWS_WITH(tt::detail::parallel_for(10, 1, call), "three");
  CHECK(seen == std::vector<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("the exception is that of the first failed index, and it comes after all calls have ended",
          "[internal][parallel_for]") {
  Meeting both(2);
  std::atomic<int> running = 0;
  std::atomic<std::size_t> made = 0;
  const auto call = [&](std::size_t i) {
    ++running;
    ++made;
    if (i >= 2) {
      --running;
      return;
    }
    (void)both.wait();
    if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the other one throws first
    --running;
    throw std::runtime_error(std::to_string(i));
  };
  CHECK_THROWS_WITH(tt::detail::parallel_for(10'000, 2, call), "0");
  CHECK(running == 0);
  CHECK(made < 10'000);
}

TEST_CASE("the follow-up of each call runs in this thread, in order, while other calls run",
          "[internal][parallel_for]") {
  for (const std::size_t at_once : {0u, 1u, 2u, 8u})
    for (const std::size_t count : {0u, 1u, 2u, 100u}) {
      std::vector<std::atomic<bool>> called(count);
      std::vector<std::size_t> order;
      std::atomic<bool> is_wrong = false;
      const auto here = std::this_thread::get_id();
      tt::detail::parallel_for(
          count, at_once,
          [&](std::size_t i) {
            if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            called[i] = true;
          },
          [&](std::size_t i) noexcept {
            if (!called[i] || std::this_thread::get_id() != here) is_wrong = true;
            order.push_back(i);
          });
      CHECK_FALSE(is_wrong);
      REQUIRE(order.size() == count);
      for (std::size_t i = 0; i < count; ++i) CHECK(order[i] == i);
    }
  Meeting first_followed(2);  // the last call waits for the follow-up of the first
  std::atomic<bool> has_come = false;
  tt::detail::parallel_for(
      2, 2,
      [&](std::size_t i) {
        if (i == 1) has_come = first_followed.wait();
      },
      [&](std::size_t i) noexcept {
        if (i == 0) (void)first_followed.wait();
      });
  CHECK(has_come);
}

TEST_CASE("a failed call and all later ones have no follow-up", "[internal][parallel_for]") {
  for (const std::size_t at_once : {1u, 3u}) {
    std::vector<std::size_t> followed;
    const auto call = [](std::size_t i) {
      if (i == 2) throw std::runtime_error("two");
    };
    CHECK_THROWS_WITH(
        tt::detail::parallel_for(50, at_once, call, [&](std::size_t i) noexcept { followed.push_back(i); }), "two");
    CHECK(followed == std::vector<std::size_t>{0, 1});
  }
}
