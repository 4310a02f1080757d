// The sum of squares alone: what norms need, at the speed of memory. Not for user code.
//
//   const double norm = std::sqrt(tensortap::detail::sum_squares(view));
#pragma once

#include <cstddef>

#include <tensortap/reduce/blocks.hpp>
#include <tensortap/reduce/kernels.hpp>
#include <tensortap/reduce/lanes.hpp>
#include <tensortap/reduce/over_blocks.hpp>
#include <tensortap/reduce/totals.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0::detail {

/// Two blocks at a time; they are neighbours in the tree.
template <class In>
class PairsOfBlocks {
 public:
  explicit PairsOfBlocks(const TensorView& view) : view_(view), reader_(view) {}

  [[nodiscard]] static std::size_t count(const TensorView& view) noexcept { return (block_count(view) + 1) / 2; }

  /// The sum of squares of pair `i`, the last of which may be one block.
  [[nodiscard]] double operator()(std::size_t i) {
    const std::size_t first = 2 * i * block_size;
    const Kernels<In>& kernel = kernels<In>();
    const bool as_it_is = view_.is_contiguous() && size_of(view_.dtype()) == sizeof(In);
    if (as_it_is && kernel.squares_of_two != nullptr && view_.size() - first >= 2 * block_size) {
      double both[2];
      kernel.squares_of_two(static_cast<const std::byte*>(view_.data()) + first * sizeof(In), both);
      return rounded(both[0] + both[1]);
    }
    const double one = of_block(kernel, 2 * i);
    return view_.size() - first > block_size ? rounded(one + of_block(kernel, 2 * i + 1)) : one;
  }

 private:
  double of_block(const Kernels<In>& kernel, std::size_t i) {
    const Block block = reader_[i];
    BlockTotals<In> totals;
    kernel.squares(block.elements, block.count, In{}, totals);
    return totals.sum_squares;
  }

  const TensorView& view_;
  BlockReader<In> reader_;
};

template <class In>
[[gnu::noinline]] double read_squares(const TensorView& view, ReduceOptions options) {
  return over_blocks<double>(
      PairsOfBlocks<In>::count(view), options, [&] { return PairsOfBlocks<In>(view); },
      [](double a, double b) { return rounded(a + b); });
}

/// The sum of squares of a tensor of real numbers; not finite if an element is not. The caller sets the `IeeeMode`.
inline double sum_squares(const TensorView& view, ReduceOptions options = {}) {
  if (view.size() == 0) return 0;
  return fits_float(view.dtype()) ? read_squares<float>(view, options) : read_squares<double>(view, options);
}

}  // namespace tensortap::inline v0::detail
