// The sum of squares alone, which norms need, at the speed of memory.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The largest number of floats for `squares_of_few`.
inline constexpr std::size_t most_few = 16;

/// Returns the sum of squares of at most 16 floats. Models have many such tensors, and a call of a kernel takes as
/// long.
inline double squares_of_few(const std::byte* from, std::size_t count) noexcept {
  const auto four = [&](std::size_t first) {
    const std::byte* const at = from + first * sizeof(float);
    if (count >= first + 4) return Four<float>::at(at);
    F32x4 x{};
    if (count > first) x[0] = load<float>(at);
    if (count > first + 1) x[1] = load<float>(at + sizeof(float));
    if (count > first + 2) x[2] = load<float>(at + 2 * sizeof(float));
    return Four<float>{x};
  };
  const auto square = [](F64x2 x) { return rounded(x * x); };
  const Four<float> a = four(0);
  F64x2 low = square(a.low());
  F64x2 high = square(a.high());
  if (count > 4) {
    const Four<float> b = four(4), c = four(8), d = four(12);
    low = rounded(rounded(low + square(c.low())) + rounded(square(b.low()) + square(d.low())));
    high = rounded(rounded(high + square(c.high())) + rounded(square(b.high()) + square(d.high())));
  }
  const F64x2 two = rounded(low + high);
  return rounded(two[0] + two[1]);
}

/// The sums of squares of branches of 64 blocks.
template <class Element>
class SquaresOfBranches {
 public:
  static constexpr std::size_t blocks = 64;

  explicit SquaresOfBranches(const TensorView& view) : view_(view), reader_(view) {}

  [[nodiscard]] static std::size_t count(const TensorView& view) noexcept {
    return (block_count(view) + blocks - 1) / blocks;
  }

  /// Returns the sum of squares of branch `i`. The last branch may have fewer blocks.
  [[nodiscard]] double operator()(std::size_t i) {
    double sums[blocks];
    const std::size_t first = i * blocks;
    const std::size_t found = std::min(blocks, block_count(view_) - first);
    const std::size_t full = std::min(blocks, view_.size() / block_size - first);
    for (std::size_t k = read_by_fours(first, full, sums); k < found; ++k) {
      const Block block = reader_[first + k];
      sums[k] = kernels<Element>().squares(block.elements, block.count);
    }
    const auto leaf = [&](std::size_t k) { return sums[k]; };
    return pairwise(0, found, leaf, [](double a, double b) { return rounded(a + b); });
  }

 private:
  /// Reads four blocks at once out of `full` blocks, starting at `first`, if the tensor is in memory and there is a
  /// kernel for it. Returns the number of blocks read.
  std::size_t read_by_fours(std::size_t first, std::size_t full, double* sums) const noexcept {
    constexpr std::size_t l2_cache = std::size_t{1} << 20;
    const auto kernel = kernels<Element>().squares_of_four;
    if (kernel == nullptr || view_.nbytes() <= l2_cache || !is_stored_as<Element>(view_)) return 0;
    constexpr std::size_t bytes = block_size * sizeof(Element);
    const auto* const from = static_cast<const std::byte*>(view_.data()) + first * bytes;
    const std::size_t apart = full / 4;
    for (std::size_t k = 0; k < apart; ++k) {
      double found[4];
      kernel(from + k * bytes, apart * bytes, found);
      for (std::size_t place = 0; place < 4; ++place) sums[k + place * apart] = found[place];
    }
    return 4 * apart;
  }

  const TensorView& view_;
  BlockReader<Element> reader_;
};

template <class Element>
[[gnu::noinline]] double squares_of_blocks(const TensorView& view, ReduceOptions options) {
  return over_blocks<double, SquaresOfBranches<Element>::blocks>(
      SquaresOfBranches<Element>::count(view), options, [&] { return SquaresOfBranches<Element>(view); },
      [](double a, double b) { return rounded(a + b); });
}

template <class Element>
double squares_of_tensor(const TensorView& view, ReduceOptions options) {
  if (view.size() > block_size || !is_stored_as<Element>(view)) return squares_of_blocks<Element>(view, options);
  return kernels<Element>().squares(static_cast<const std::byte*>(view.data()), view.size());
}

/// Returns the sum of squares of a tensor of real numbers, which is not finite if an element is not. The caller sets
/// the `IeeeMode`.
inline double sum_squares(const TensorView& view, ReduceOptions options = {}) {
  if (view.size() == 0) return 0;
  if (view.size() <= most_few && is_stored_as<float>(view))
    return squares_of_few(static_cast<const std::byte*>(view.data()), view.size());
  return with_kernel_type(view.dtype(),
                          [&]<class Element>(Element) { return squares_of_tensor<Element>(view, options); });
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
