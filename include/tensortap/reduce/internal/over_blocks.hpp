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

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/worker_pool.hpp>
#include <tensortap/reduce/reduce_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// `make_leaf` gives each thread its own `leaf(i)`, which reads `blocks_each` blocks.
template <class Value, std::size_t blocks_each = 1, class MakeLeaf, class Merge>
Value over_blocks(std::size_t count, ReduceOptions options, const MakeLeaf& make_leaf, const Merge& merge) {
  // 256 KiB of float32: 10 us, what it takes to wake a thread.
  constexpr std::size_t smallest_chunk = blocks_each < 16 ? 16 / blocks_each : 1;
  if (options.threads <= 1 || count < 2 * smallest_chunk) {
    auto leaf = make_leaf();
    return pairwise(0, count, leaf, merge);
  }
  // Chunks of a power of two of blocks are whole branches of the tree.
  const std::size_t chunk =
      std::max(smallest_chunk, std::bit_ceil(count / (32 * static_cast<std::size_t>(options.threads))));
  std::vector<Value> values((count + chunk - 1) / chunk);
  WorkerPool::instance().run(values.size(), options.threads, [&](std::size_t i) {
    const IeeeMode ieee;
    auto leaf = make_leaf();
    values[i] = pairwise(i * chunk, std::min(chunk, count - i * chunk), leaf, merge);
  });
  const auto leaf = [&](std::size_t i) { return values[i]; };
  return pairwise(0, values.size(), leaf, merge);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
