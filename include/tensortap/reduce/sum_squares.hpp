// The sum of squares alone: what norms need, at the speed of memory. Not for user code.
//
//   const double norm = std::sqrt(tensortap::detail::sum_squares(view));
#pragma once

#include <algorithm>
#include <cstddef>

#include <tensortap/reduce/blocks.hpp>
#include <tensortap/reduce/kernels.hpp>
#include <tensortap/reduce/lanes.hpp>
#include <tensortap/reduce/over_blocks.hpp>
#include <tensortap/reduce/totals.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0::detail {

/// 64 blocks at a time, a branch of the tree. They are read in four places at once.
template <class In>
class Branches {
 public:
  static constexpr std::size_t blocks = 64;

  explicit Branches(const TensorView& view) : view_(view), reader_(view) {}

  [[nodiscard]] static std::size_t count(const TensorView& view) noexcept {
    return (block_count(view) + blocks - 1) / blocks;
  }

  /// The sum of squares of branch `i`, the last of which may have fewer blocks.
  [[nodiscard]] double operator()(std::size_t i) {
    double sums[blocks];
    const std::size_t first = i * blocks;
    const std::size_t found = std::min(blocks, block_count(view_) - first);
    const std::size_t full = std::min(blocks, view_.size() / block_size - first);
    for (std::size_t k = read_by_fours(first, full, sums); k < found; ++k) sums[k] = of_block(first + k);
    const auto leaf = [&](std::size_t k) { return sums[k]; };
    return pairwise(0, found, leaf, [](double a, double b) { return rounded(a + b); });
  }

 private:
  [[nodiscard]] typename Kernels<In>::SquaresOfFour* kernel() const noexcept {
    const Kernels<In>& in_use = kernels<In>();
    if (!view_.is_contiguous()) return nullptr;
    if (view_.dtype() == DType::f16) return in_use.squares_of_four_f16;
    if (view_.dtype() == DType::bf16) return in_use.squares_of_four_bf16;
    return view_.dtype() == dtype_v<In> ? in_use.squares_of_four : nullptr;
  }

  /// Of `full` blocks from `first` on, as many as make fours; their number.
  std::size_t read_by_fours(std::size_t first, std::size_t full, double* sums) const noexcept {
    auto* const read_four = kernel();
    if (read_four == nullptr) return 0;
    const std::size_t bytes = block_size * size_of(view_.dtype());
    const auto* const from = static_cast<const std::byte*>(view_.data()) + first * bytes;
    const std::size_t apart = full / 4;  // blocks
    for (std::size_t k = 0; k < apart; ++k) {
      double four[4];
      read_four(from + k * bytes, apart * bytes, four);
      for (std::size_t place = 0; place < 4; ++place) sums[k + place * apart] = four[place];
    }
    return 4 * apart;
  }

  double of_block(std::size_t i) {
    const Block block = reader_[i];
    BlockTotals<In> totals;
    kernels<In>().squares(block.elements, block.count, In{}, totals);
    return totals.sum_squares;
  }

  const TensorView& view_;
  BlockReader<In> reader_;
};

template <class In>
[[gnu::noinline]] double read_squares(const TensorView& view, ReduceOptions options) {
  return over_blocks<double, Branches<In>::blocks>(
      Branches<In>::count(view), options, [&] { return Branches<In>(view); },
      [](double a, double b) { return rounded(a + b); });
}

/// The sum of squares of a tensor of real numbers; not finite if an element is not. The caller sets the `IeeeMode`.
inline double sum_squares(const TensorView& view, ReduceOptions options = {}) {
  if (view.size() == 0) return 0;
  return fits_float(view.dtype()) ? read_squares<float>(view, options) : read_squares<double>(view, options);
}

}  // namespace tensortap::inline v0::detail
