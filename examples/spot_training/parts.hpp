// Threads that share the images of a batch. Their number does not change the result.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace spot_training {

/// The number of parts of a batch, for any number of threads. Sums are taken within a part, then over the parts in
/// their order, so that one core and sixty-four give the same bits.
inline constexpr std::size_t part_count = 8;

/// Calls `work(part)` for each part of [0, parts), on that many threads; returns when all are done.
/// Threads: `work` runs concurrently with itself on other parts. It must not throw.
template <class Work>
void for_each_part(std::size_t threads, std::size_t parts, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t part = next++; part < parts; part = next++) work(part);
  };
  // Starting threads takes about 20 us, a step of the network milliseconds.
  std::vector<std::jthread> others;
  for (std::size_t thread = 1; thread < threads && thread < parts; ++thread) others.emplace_back(take);
  take();
}

}  // namespace spot_training
