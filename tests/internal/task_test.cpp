#include <tensortap/internal/task.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;
using tt::detail::Task;
using Clock = Task::Clock;

namespace {

/// Blocks a task until release().
struct Gate {
  std::atomic<bool> is_open = false;

  void wait() {
    while (!is_open) std::this_thread::sleep_for(1ms);
  }
};

}  // namespace

TEST_CASE("a task runs its call and wakes the threads that wait", "[internal][task]") {
  std::atomic<int> calls = 0;
  Task task([&] { ++calls; });
  std::atomic<int> woken = 0;
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 3; ++i)
    waiters.emplace_back([&] {
      if (task.wait_until(Clock::now() + 60s)) ++woken;
    });
  std::this_thread::sleep_for(10ms);
  std::jthread(&Task::run, &task).join();
  waiters.clear();
  CHECK(calls == 1);
  CHECK(woken == 3);
  CHECK(task.wait_until(Clock::time_point::min()));  // the deadline does not matter after the end
  CHECK_FALSE(task.failure());
}

TEST_CASE("a wait ends at its deadline and may be repeated", "[internal][task]") {
  const auto gate = std::make_shared<Gate>();
  Task task([gate] { gate->wait(); });
  std::jthread worker(&Task::run, &task);
  const auto start = Clock::now();
  CHECK_FALSE(task.wait_until(start + 20ms));
  CHECK(Clock::now() - start >= 20ms);
  CHECK_FALSE(task.wait_until(start));  // in the past
  CHECK_FALSE(task.failure());
  gate->is_open = true;
  CHECK(task.wait_until(Clock::now() + 60s));
}

TEST_CASE("a stop request ends a wait before its deadline", "[internal][task]") {
  const auto gate = std::make_shared<Gate>();
  Task task([gate] { gate->wait(); });
  std::jthread worker(&Task::run, &task);
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(10ms);
    stop.request_stop();
  });
  const auto start = Clock::now();
  CHECK_FALSE(task.wait_until(start + 300s, stop.get_token()));
  CHECK(Clock::now() - start < 200s);
  CHECK_FALSE(task.wait_until(Clock::now() + 300s, stop.get_token()));  // a stop requested before
  gate->is_open = true;
  CHECK(task.wait_until(Clock::now() + 60s));
}

TEST_CASE("a task keeps the exception of its call", "[internal][task]") {
  Task task([] { throw std::runtime_error("the disk is full"); });
  CHECK_FALSE(task.failure());
  std::jthread(&Task::run, &task).join();
  REQUIRE(task.wait_until(Clock::now() + 60s));
  REQUIRE(task.failure());
  CHECK_THROWS_WITH(std::rethrow_exception(task.failure()), "the disk is full");
  CHECK_THROWS_WITH(std::rethrow_exception(task.failure()), "the disk is full");  // again
}

TEST_CASE("a task releases what its call owns before it wakes others", "[internal][task]") {
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = owned;
  Task task([owned = std::move(owned)] { ++*owned; });
  CHECK_FALSE(watch.expired());
  std::jthread worker(&Task::run, &task);
  REQUIRE(task.wait_until(Clock::now() + 60s));
  CHECK(watch.expired());
}

TEST_CASE("an abandoned task continues and releases its state at its end", "[internal][task]") {
  const auto gate = std::make_shared<Gate>();
  const auto result = std::make_shared<std::string>();
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  std::weak_ptr<Task> watch;
  {
    auto task = std::make_shared<Task>([gate, result] {
      gate->wait();
      *result = "late";
    });
    watch = task;
    std::thread([task, ended]() mutable {
      task->run();
      task.reset();
      *ended = true;
    }).detach();
    CHECK_FALSE(task->wait_until(Clock::now() + 10ms));
  }  // the thread that waited gives up
  CHECK_FALSE(watch.expired());
  gate->is_open = true;
  const auto deadline = Clock::now() + 60s;
  while (!*ended && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
  REQUIRE(*ended);
  CHECK(*result == "late");
  CHECK(watch.expired());
}
