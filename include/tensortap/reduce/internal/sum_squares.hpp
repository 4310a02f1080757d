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

/// The sums of squares of branches of 64 blocks. Reads two or four blocks at once if there is a kernel for it.
template <class In>
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
    for (std::size_t k = read_in_turns(first, full, sums); k < found; ++k) sums[k] = of_block(first + k);
    const auto leaf = [&](std::size_t k) { return sums[k]; };
    return pairwise(0, found, leaf, [](double a, double b) { return rounded(a + b); });
  }

 private:
  /// A kernel that reads several blocks in turns, and their number.
  struct InTurns {
    typename Kernels<In>::Squares* kernel;
    std::size_t blocks;
  };

  [[nodiscard]] InTurns in_turns() const noexcept {
    constexpr std::size_t l2_cache = std::size_t{1} << 20;
    const Kernels<In>& in_use = kernels<In>();
    if (!view_.is_contiguous()) return {nullptr, 0};
    if (view_.dtype() == DType::f16) return {in_use.squares_of_four_f16, 4};
    if (view_.dtype() == DType::bf16) return {in_use.squares_of_four_bf16, 4};
    if (view_.dtype() != dtype_v<In>) return {nullptr, 0};
    if (view_.nbytes() <= l2_cache) return {in_use.squares_of_two, 2};
    return {in_use.squares_of_four, 4};
  }

  /// Reads groups out of `full` blocks, starting at `first`. Returns the number of blocks read.
  std::size_t read_in_turns(std::size_t first, std::size_t full, double* sums) const noexcept {
    const InTurns turns = in_turns();
    if (turns.kernel == nullptr) return 0;
    const std::size_t bytes = block_size * size_of(view_.dtype());
    const auto* const from = static_cast<const std::byte*>(view_.data()) + first * bytes;
    const std::size_t groups = full / turns.blocks;
    const std::size_t apart = turns.blocks == 2 ? 1 : groups;  // neighbours if all is in the cache; else spread out
    for (std::size_t k = 0; k < groups; ++k) {
      double found[4];
      const std::size_t first_of_group = turns.blocks == 2 ? 2 * k : k;
      turns.kernel(from + first_of_group * bytes, apart * bytes, found);
      for (std::size_t place = 0; place < turns.blocks; ++place) sums[first_of_group + place * apart] = found[place];
    }
    return turns.blocks * groups;
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
  return over_blocks<double, SquaresOfBranches<In>::blocks>(
      SquaresOfBranches<In>::count(view), options, [&] { return SquaresOfBranches<In>(view); },
      [](double a, double b) { return rounded(a + b); });
}

/// Returns the sum of squares of a tensor of real numbers, which is not finite if an element is not. The caller sets
/// the `IeeeMode`.
inline double sum_squares(const TensorView& view, ReduceOptions options = {}) {
  if (view.size() == 0) return 0;
  return fits_float(view.dtype()) ? read_squares<float>(view, options) : read_squares<double>(view, options);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
