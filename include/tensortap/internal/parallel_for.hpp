// A loop whose calls run on several threads. Stores use it, because each of their calls waits for a disk or a network.
//
//   const auto found = store.list("index/");
//   std::vector<std::optional<std::vector<std::byte>>> texts(found.size());
//   tensortap::detail::parallel_for(found.size(), store.concurrency(),
//                                   [&](std::size_t i) { texts[i] = store.get(found[i].key); });
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

// Does not use the pool of reduce/internal/worker_pool.hpp: that pool helps one caller at a time and no forked child,
// and calls that wait for a store would keep its threads from reductions.

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Calls `call(i)` for each i below `count`, at most `at_once` of them at the same time. The calls begin in order, on
/// this thread and on others that end before the return. With `at_once` or `count` 1, all calls run on this thread. No
/// call begins after one has thrown. Throws: the exception of the lowest failed i, after all calls have ended.
/// Threads: `call` runs on several.
template <class Call>
void parallel_for(std::size_t count, std::size_t at_once, const Call& call) {
  constexpr std::size_t most_threads = 256;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;  // guards the variables below
  std::exception_ptr failure;
  std::size_t failed_at = count;
  const auto work = [&]() noexcept {
    while (!failed) {
      const std::size_t i = next++;
      if (i >= count) return;
      try {
        call(i);
      } catch (...) {
        failed = true;
        const std::lock_guard lock(mutex);
        if (i >= failed_at) continue;
        failed_at = i;
        failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  if (const std::size_t wanted = std::min({count, at_once, most_threads}); wanted > 1) {
    others.reserve(wanted - 1);
    try {
      while (others.size() < wanted - 1) others.push_back(detail::start_thread(work));
    } catch (const std::system_error&) {  // continue with fewer threads
    }
  }
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

/// Does the same. Also calls `then(i)` on this thread, for ascending i, as soon as the calls 0 to i have ended. `then`
/// must not throw. If call i is the first that failed, `then` is not called for i and above.
template <class Call, class Then>
void parallel_for(std::size_t count, std::size_t at_once, const Call& call, const Then& then) {
  static_assert(std::is_nothrow_invocable_v<const Then&, std::size_t>);
  if (count < 2 || at_once < 2) {
    for (std::size_t i = 0; i < count; ++i) {
      call(i);
      then(i);
    }
    return;
  }
  std::mutex mutex;  // guards the variables below
  std::condition_variable progress;
  std::vector<bool> has_ended(count);
  bool have_all_ended = false;
  std::exception_ptr failure;
  const auto make_calls = [&]() noexcept {
    std::exception_ptr thrown;
    try {
      parallel_for(count, at_once, [&](std::size_t i) {
        call(i);
        const std::lock_guard lock(mutex);
        has_ended[i] = true;
        progress.notify_one();
      });
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    failure = thrown;
    have_all_ended = true;
    progress.notify_one();
  };
  std::thread others;
  try {
    others = detail::start_thread(make_calls);
  } catch (const std::system_error&) {
    make_calls();
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::unique_lock lock(mutex);
    progress.wait(lock, [&] { return has_ended[i] || have_all_ended; });
    if (!has_ended[i]) break;
    lock.unlock();
    then(i);
  }
  if (others.joinable()) others.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
