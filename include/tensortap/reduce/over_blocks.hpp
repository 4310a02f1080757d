// A value for each block of a tensor, combined in pairs: by one thread, or by several with the same result. Not for
// user code.
//
//   const double sum = over_blocks<double>(blocks, {.threads = 2}, [&] { return [&](std::size_t i) { return f(i); }; },
//                                          [](double a, double b) { return rounded(a + b); });
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <vector>

#include <tensortap/reduce/ieee_mode.hpp>
#include <tensortap/reduce/lanes.hpp>
#include <tensortap/reduce/worker_pool.hpp>

namespace tensortap::inline v0 {

/// How a tensor is reduced. Nothing here changes the result.
struct ReduceOptions {
  /// How many threads read large tensors, this one included.
  int threads = 1;
};

namespace detail {

/// `make_leaf` gives each thread its own `leaf(i)`.
template <class Value, class MakeLeaf, class Merge>
Value over_blocks(std::size_t blocks, ReduceOptions options, const MakeLeaf& make_leaf, const Merge& merge) {
  constexpr std::size_t smallest_chunk = 16;  // 256 KiB of float32: 10 us, what it takes to wake a thread
  if (options.threads <= 1 || blocks < 2 * smallest_chunk) {
    auto leaf = make_leaf();
    return pairwise(0, blocks, leaf, merge);
  }
  // Chunks of a power of two of blocks are whole branches of the tree.
  const std::size_t chunk =
      std::max(smallest_chunk, std::bit_ceil(blocks / (8 * static_cast<std::size_t>(options.threads))));
  std::vector<Value> values((blocks + chunk - 1) / chunk);
  WorkerPool::instance().run(values.size(), options.threads, [&](std::size_t i) {
    const IeeeMode ieee;
    auto leaf = make_leaf();
    values[i] = pairwise(i * chunk, std::min(chunk, blocks - i * chunk), leaf, merge);
  });
  const auto leaf = [&](std::size_t i) { return values[i]; };
  return pairwise(0, values.size(), leaf, merge);
}

}  // namespace detail

}  // namespace tensortap::inline v0
