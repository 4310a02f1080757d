#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <numeric>
#include <thread>
#include <vector>

#include <tensortap/reduce/internal/worker_pool.hpp>
#include "catch.hpp"

using tensortap::detail::WorkerPool;

TEST_CASE("every part is done once, with any number of threads", "[reduce][worker_pool]") {
  for (const int threads : {-1, 0, 1, 2, 3, 8, 1000})
    for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> done(count);
      WorkerPool::instance().run(count, threads, [&](std::size_t i) { ++done[i]; });
      std::size_t once = 0;
      for (const auto& times : done) once += times == 1;
      CAPTURE(threads, count);
      CHECK(once == count);
    }
}

TEST_CASE("other threads help", "[reduce][worker_pool]") {
  std::atomic<std::size_t> waiting = 0;
  WorkerPool::instance().run(2, 2, [&](std::size_t) {  // ends only if both run at the same time
    ++waiting;
    while (waiting < 2) std::this_thread::yield();
  });
  CHECK(waiting == 2);
}

TEST_CASE("several threads may use the pool at the same time", "[reduce][worker_pool]") {
  std::vector<std::thread> users;
  std::atomic<std::size_t> done = 0;
  for (int user = 0; user < 8; ++user)
    users.emplace_back([&] {
      for (int round = 0; round < 200; ++round) WorkerPool::instance().run(10, 3, [&](std::size_t) { ++done; });
    });
  for (auto& user : users) user.join();
  CHECK(done == 8 * 200 * 10);
}

TEST_CASE("a forked child works alone", "[reduce][worker_pool]") {
  std::atomic<int> done = 0;
  WorkerPool::instance().run(4, 4, [&](std::size_t) { ++done; });
  const pid_t child = ::fork();
  if (child == 0) {
    int in_child = 0;
    WorkerPool::instance().run(4, 4, [&](std::size_t) { ++in_child; });
    ::_exit(in_child == 4 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
