// The statistics of one block, from the totals of its kernel. Kernels do not count NaN, infinities and zeros. If the
// totals show that a block holds some, this code reads the block again and counts them by their bits.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/by_bits.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Calls `f(bits, lane)` for each element, in loops of constant length, which g++ 12 -O2 vectorises.
template <class Element, class F>
void for_each_bits(const Block& block, F&& f) noexcept {
  std::size_t i = 0;
  for (; i + lane_count <= block.count; i += lane_count) {
    BitsOf<Element> row[lane_count];
    std::memcpy(row, block.elements + i * sizeof(Element), sizeof row);
    for (std::size_t j = 0; j < lane_count; ++j) f(row[j], j);
  }
  for (std::size_t j = 0; i < block.count; ++i, ++j) f(load<BitsOf<Element>>(block.elements + i * sizeof(Element)), j);
}

/// Counts by lanes, in the width of the elements, so that compilers vectorise the loop.
template <class Count>
class LaneCounts {
 public:
  void add(std::size_t lane, bool found) noexcept { lanes_[lane] = static_cast<Count>(lanes_[lane] + (found ? 1 : 0)); }
  [[nodiscard]] std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const Count count : lanes_) sum += count;
    return sum;
  }

 private:
  std::array<Count, lane_count> lanes_{};
};

/// Numbers of NaNs and infinities, and the indices of the first of them and of the first finite element (the block's
/// size if there is none).
struct NonFinite {
  std::uint64_t nan, positive_inf, negative_inf;
  std::size_t first, first_finite;

  [[nodiscard]] std::uint64_t count() const noexcept { return nan + positive_inf + negative_inf; }
};

template <class Element>
[[gnu::noinline]] NonFinite count_non_finite(const Block& block) noexcept {
  constexpr BitsOf<Element> inf = infinity_bits<Element>;
  LaneCounts<BitsOf<Element>> nan;
  LaneCounts<BitsOf<Element>> positive;
  LaneCounts<BitsOf<Element>> negative;
  for_each_bits<Element>(block, [&](BitsOf<Element> bits, std::size_t lane) {
    nan.add(lane, static_cast<BitsOf<Element>>(bits << 1) > static_cast<BitsOf<Element>>(inf << 1));
    positive.add(lane, bits == inf);
    negative.add(lane, bits == (inf | sign_bit<Element>));
  });
  const auto find = [&](bool finite) {
    std::size_t i = 0;
    while (i < block.count && ((load<BitsOf<Element>>(block.elements + i * sizeof(Element)) & inf) != inf) != finite)
      ++i;
    return i;
  };
  return {nan.total(), positive.total(), negative.total(), find(false), find(true)};
}

/// Runs the kernel that finds at least `parts`.
template <class Element>
BlockTotals<Computed<Element>> block_totals(const Block& block, unsigned parts) noexcept {
  const Kernels<Element>& kernel = kernels<Element>();
  const Computed<Element> start = load_computed<Element>(block.elements);
  BlockTotals<Computed<Element>> totals;
  switch (parts & everything) {
    case extremes: kernel.extremes(block.elements, block.count, start, totals); break;
    case sums: kernel.sums(block.elements, block.count, start, totals); break;
    case squares:
      totals.sum_squares = kernel.squares(block.elements, block.count);
      totals.all_finite = is_finite(totals.sum_squares);
      break;
    default: kernel.everything(block.elements, block.count, start, totals); break;
  }
  return totals;
}

/// Squared deviations of the finite elements from their mean, and the rounding error of their sum.
struct DeviationsFound {
  double squares, sum_error;
};

/// Computes the deviations from the totals. If the mean is so large relative to the std that digits cancel, reads the
/// block again with the kernel `deviations_from(center)`. The limit of 16 raises the error bound of the sums from
/// 2.9e-14 to 4.6e-13; elements around 0, of one sign or uniformly distributed then need no second pass.
template <class Again>
DeviationsFound block_deviations(double n, double sum, double sum_squares, const Again& deviations_from) noexcept {
  if (!is_finite(sum)) return {number_of(infinity_bits<double>), 0};
  const double mean = quotient(sum, n);
  const double found = rounded(sum_squares - rounded(sum * mean));
  if (is_finite(sum_squares) && 16 * found >= sum_squares) return {found, 0};
  // A center of 40 bits, so that n times it is exact.
  const auto center = std::bit_cast<double>(bits_of(mean) & ~std::uint64_t{0x1fff});
  const Deviations again = deviations_from(center);
  const double sum_error = rounded(rounded(rounded(n * center) - sum) + again.sum);
  if (!is_finite(again.sum_squares) || !is_finite(sum_error)) return {number_of(infinity_bits<double>), 0};
  const double squares = rounded(again.sum_squares - rounded(again.sum * quotient(again.sum, n)));
  return {squares > 0 ? squares : 0, sum_error};
}

inline double zero(bool negative) noexcept { return number_of(negative ? sign_bit<double> : 0); }

/// Returns those statistics of a block that are in `parts`, from the totals of its kernel. Index fields are 0 or the
/// index within the block.
template <class Element>
Statistics block_statistics(const Block& block, unsigned parts, BlockTotals<Computed<Element>> totals) noexcept {
  Statistics s;
  s.count = block.count;
  bool masked = false;
  if (!totals.all_finite) {
    const NonFinite odd = count_non_finite<Element>(block);
    masked = odd.count() > 0;  // else a sum of large float64 has overflowed
    if (masked) {
      s.nan = odd.nan;
      s.positive_inf = odd.positive_inf;
      s.negative_inf = odd.negative_inf;
      s.first_non_finite = odd.first;
      if (s.finite() == 0) return s;
      const auto start = load_computed<Element>(block.elements + odd.first_finite * sizeof(Element));
      kernels<Element>().everything_finite(block.elements, block.count, start, totals);
    }
  }
  if ((parts & extremes) != 0) {
    s.min = totals.min;
    s.max = totals.max;
    s.abs_min = totals.abs_min;
    s.abs_max = -s.min > s.max ? -s.min : s.max;
    if (totals.abs_min == 0) {  // the kernel does not distinguish 0 and -0
      const Zeros zeros = kernels<Element>().count_zeros(block.elements, block.count);
      s.zeros = zeros.count;
      if (s.min == 0) s.min = zero(zeros.negative > 0);
      if (s.max == 0) s.max = zero(zeros.negative == zeros.count);
      s.abs_min = zero(false);
      if (s.abs_max == 0) s.abs_max = zero(false);
    }
    if ((parts & places) != 0) s.abs_max_index = 0;  // find_places() finds the index
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
        const auto kernel = masked ? kernels<Element>().deviations_finite : kernels<Element>().deviations;
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
