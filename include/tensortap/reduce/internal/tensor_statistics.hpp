// The statistics of a whole tensor: those of its blocks, merged in a tree.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/block_statistics.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// `merge` of statistics as an object, because `merge` is overloaded.
inline constexpr auto merge_statistics = [](const Statistics& a, const Statistics& b) { return merge(a, b); };

/// Finds the index of the largest magnitude, and the bits of the first NaN or infinity.
template <class In>
void find_places(const TensorView& view, BlockReader<In>& reader, Statistics& s) {
  if (s.abs_max_index) {
    const auto first = static_cast<std::size_t>(*s.abs_max_index);
    *s.abs_max_index += find_magnitude<In>(reader[first / block_size], static_cast<In>(s.abs_max));
  }
  if (s.first_non_finite) {
    std::byte bytes[sizeof(std::uint64_t)]{};
    copy_row_major(view, static_cast<std::size_t>(*s.first_non_finite), 1, bytes);
    std::memcpy(&s.non_finite_bits, bytes, sizeof bytes);
  }
}

/// The statistics of branches of 32 blocks. Reads two blocks at once if all statistics are wanted.
template <class In>
class StatisticsOfBranches {
 public:
  static constexpr std::size_t blocks = 32;

  StatisticsOfBranches(const TensorView& view, unsigned parts) : view_(view), parts_(parts), reader_(view) {}

  [[nodiscard]] static std::size_t count(const TensorView& view) noexcept {
    return (block_count(view) + blocks - 1) / blocks;
  }

  /// Returns the statistics of branch `i`. The last branch may have fewer blocks.
  [[nodiscard]] Statistics operator()(std::size_t i) {
    const std::size_t first = i * blocks;
    const std::size_t found = std::min(blocks, block_count(view_) - first);
    if (found == 1) return of_block(first);
    std::array<Statistics, blocks> parts;
    for (std::size_t k = read_by_twos(first, parts); k < found; ++k) parts[k] = of_block(first + k);
    const auto leaf = [&](std::size_t k) { return parts[k]; };
    return pairwise(0, found, leaf, merge_statistics);
  }

 private:
  /// Reads full blocks in pairs, starting at `first`. Returns the number of blocks read.
  std::size_t read_by_twos(std::size_t first, std::array<Statistics, blocks>& parts) {
    const auto kernel = kernels<In>().everything_of_two;
    if (kernel == nullptr || !view_.is_contiguous() || view_.dtype() != dtype_v<In>) return 0;
    if ((parts_ & everything) != everything) return 0;
    const std::size_t apart = std::min(blocks, view_.size() / block_size - first) / 2;
    for (std::size_t k = 0; k < apart; ++k) {
      const Block one = reader_[first + k], other = reader_[first + k + apart];
      BlockTotals<In> totals[2];
      kernel(one.elements, static_cast<std::size_t>(other.elements - one.elements), totals);
      parts[k] = block_statistics(one, parts_, totals[0]);
      parts[k + apart] = block_statistics(other, parts_, totals[1]);
    }
    return 2 * apart;
  }

  Statistics of_block(std::size_t i) {
    const Block block = reader_[i];
    return block_statistics(block, parts_, block_totals<In>(block, parts_));
  }

  const TensorView& view_;
  unsigned parts_;
  BlockReader<In> reader_;
};

template <class In>
[[gnu::noinline]] void read_statistics(const TensorView& view, unsigned parts, ReduceOptions options, Statistics& out) {
  using Branches = StatisticsOfBranches<In>;
  out = over_blocks<Statistics, Branches::blocks>(
      Branches::count(view), options, [&] { return Branches(view, parts); }, merge_statistics);
  if ((parts & places) == 0) return;
  BlockReader<In> reader(view);
  find_places(view, reader, out);
}

/// Returns those statistics of a tensor of real numbers that are in `parts`.
inline Statistics statistics_of(const TensorView& view, unsigned parts, ReduceOptions options = {}) {
  Statistics s;
  if (view.size() == 0) return s;
  if ((parts & (deviations | places)) != 0) parts |= everything;
  const IeeeMode ieee;
  if (parts == squares) {
    s.sum_squares = sum_squares(view, options);
    s.count = view.size();
    if (is_finite(s.sum_squares)) return s;
  }
  fits_float(view.dtype()) ? read_statistics<float>(view, parts, options, s)
                           : read_statistics<double>(view, parts, options, s);
  return s;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
