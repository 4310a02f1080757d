// The statistics of one block: its totals by the kernels, and what they leave open. Not for user code.
//
//   const tensortap::Statistics s = tensortap::detail::block_statistics<float>(block, tensortap::detail::whole);
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/census.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/statistics_record.hpp>
#include <tensortap/reduce/internal/totals.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Runs the kernel that finds at least `parts`.
template <class In>
BlockTotals<In> block_totals(const Block& block, unsigned parts) noexcept {
  const Kernels<In>& kernel = kernels<In>();
  const In start = load<In>(block.elements);
  BlockTotals<In> totals;
  switch (parts & everything) {
    case extremes: kernel.extremes(block.elements, block.count, start, totals); break;
    case sums: kernel.sums(block.elements, block.count, start, totals); break;
    case squares: kernel.squares(block.elements, block.count, start, totals); break;
    default: kernel.everything(block.elements, block.count, start, totals); break;
  }
  return totals;
}

/// Squared deviations of n finite elements from their mean, and what is missing in their sum. The totals know them,
/// unless the mean is so large against the std that the difference cancels; then the block is read once more. With a
/// limit of 16, the sums' bound of 2.9e-14 becomes 4.6e-13, and elements around 0, of one sign or uniform are not read
/// twice. `deviations_from(center)` is the kernel.
struct DeviationsFound {
  double squares, sum_error;
};
template <class Again>
DeviationsFound block_deviations(double n, double sum, double sum_squares, const Again& deviations_from) noexcept {
  if (!is_finite(sum)) return {number_of(infinity_bits<double>), 0};
  const double mean = quotient(sum, n);
  const double found = rounded(sum_squares - rounded(sum * mean));
  if (is_finite(sum_squares) && 16 * found >= sum_squares) return {found, 0};
  // A center of 40 bits, so that n times it is exact.
  const double center = std::bit_cast<double>(bits_of(mean) & ~std::uint64_t{0x1fff});
  const Deviations again = deviations_from(center);
  const double sum_error = rounded(rounded(rounded(n * center) - sum) + again.sum);
  if (!is_finite(again.sum_squares) || !is_finite(sum_error)) return {number_of(infinity_bits<double>), 0};
  const double squares = rounded(again.sum_squares - rounded(again.sum * quotient(again.sum, n)));
  return {squares > 0 ? squares : 0, sum_error};
}

inline double zero(bool negative) noexcept { return number_of(negative ? sign_bit<double> : 0); }

/// The statistics of one block, as far as `parts` asks for them, from what its kernel has found.
template <class In>
Statistics block_statistics(const Block& block, unsigned parts, BlockTotals<In> totals) noexcept {
  Statistics s;
  s.count = block.count;
  bool masked = false;
  if (!totals.all_finite) {
    const NonFinite odd = count_non_finite<In>(block);
    masked = odd.count() > 0;  // else a sum of large float64 has overflowed
    if (masked) {
      s.nan = odd.nan;
      s.positive_inf = odd.positive_inf;
      s.negative_inf = odd.negative_inf;
      s.first_non_finite = odd.first;
      if (s.finite() == 0) return s;
      const In start = load<In>(block.elements + odd.first_finite * sizeof(In));
      kernels<In>().everything_finite(block.elements, block.count, start, totals);
    }
  }
  if ((parts & extremes) != 0) {
    s.min = totals.min;
    s.max = totals.max;
    s.abs_min = totals.abs_min;
    s.abs_max = -s.min > s.max ? -s.min : s.max;
    if (totals.abs_min == 0) {  // the kernel knows no signs of zeros
      const Zeros zeros = count_zeros<In>(block);
      s.zeros = zeros.count;
      if (s.min == 0) s.min = zero(zeros.negative > 0);
      if (s.max == 0) s.max = zero(zeros.negative == zeros.count);
      s.abs_min = zero(false);
      if (s.abs_max == 0) s.abs_max = zero(false);
    }
    if ((parts & places) != 0) s.abs_max_index = 0;  // somewhere in this block: see place_abs_max
  }
  if ((parts & sums) != 0) {
    s.sum = totals.sum;
    s.abs_sum = totals.abs_sum;
  }
  if ((parts & squares) != 0) s.sum_squares = totals.sum_squares;
  if ((parts & deviations) != 0) {
    const auto n = static_cast<double>(s.finite());
    const auto again = [&](bool absolute) {
      return [&, absolute](double center) {
        const auto kernel = masked ? kernels<In>().deviations_finite : kernels<In>().deviations;
        return kernel(block.elements, block.count, center, absolute);
      };
    };
    if (s.min != s.max) {
      const auto found = block_deviations(n, s.sum, s.sum_squares, again(false));
      s.squared_deviations = found.squares;
      s.sum_error = found.sum_error;
    }
    if (s.min >= 0 || s.max <= 0) {
      s.abs_squared_deviations = s.squared_deviations;
      s.abs_sum_error = s.min >= 0 ? s.sum_error : -s.sum_error;
    } else if (s.abs_min != s.abs_max) {
      const auto found = block_deviations(n, s.abs_sum, s.sum_squares, again(true));
      s.abs_squared_deviations = found.squares;
      s.abs_sum_error = found.sum_error;
    }
  }
  return s;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
