// Many calls to a store that takes its time for each: several at once, as far as that pays off.
//
//   const auto found = store.list("index/");
//   std::vector<std::optional<std::vector<std::byte>>> texts(found.size());
//   tensortap::for_each_at_once(found.size(), store.concurrency(),
//                               [&](std::size_t i) { texts[i] = store.get(found[i].key); });
#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace tensortap::inline v0 {

/// Calls `call(i)` for each i below `count`, in their order, at most `at_once` of them at the same time: in this thread
/// and others, which are gone on return. With `at_once` 1, or `count` 1, it is a loop. After one has thrown none
/// begins. Throws: what the loop would have thrown, after all that have begun have ended. Threads: `call` is called
/// from several.
template <class Call>
void for_each_at_once(std::size_t count, std::size_t at_once, const Call& call) {
  constexpr std::size_t most_threads = 256;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;  // guards what follows
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
    sigset_t all, before;  // signals are left to the threads of the program
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      while (others.size() < wanted - 1) others.emplace_back(work);
    } catch (const std::system_error&) {  // then with fewer
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tensortap::inline v0
