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
#include <tensortap/reduce/internal/convert.hpp>
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
template <class Element>
void find_places(const TensorView& view, BlockReader<Element>& reader, Statistics& s) {
  if (s.abs_max_index) {
    const Block block = reader[*s.abs_max_index / block_size];
    const auto magnitude = static_cast<BitsOf<Element>>(narrowed(s.abs_max, *dtype_v<Element>));
    *s.abs_max_index += kernels<Element>().find_magnitude(block.elements, block.count, magnitude);
  }
  if (s.first_non_finite) {
    std::byte bytes[sizeof(std::uint64_t)]{};
    copy_row_major(view, *s.first_non_finite, 1, bytes);
    std::memcpy(&s.non_finite_bits, bytes, sizeof bytes);
  }
}

template <class Element>
[[gnu::noinline]] Statistics read_statistics(const TensorView& view, unsigned parts, ReduceOptions options) {
  const auto make_leaf = [&] {
    return [parts, reader = BlockReader<Element>(view)](std::size_t i) mutable {
      const Block block = reader[i];
      return block_statistics<Element>(block, parts, block_totals<Element>(block, parts));
    };
  };
  auto out = over_blocks<Statistics>(block_count(view), options, make_leaf, merge_statistics);
  if ((parts & places) == 0) return out;
  BlockReader<Element> reader(view);
  find_places(view, reader, out);
  return out;
}

/// Returns those statistics of a tensor of real numbers that are in `parts`.
inline Statistics statistics_of(const TensorView& view, unsigned parts, ReduceOptions options = {}) {
  if (view.size() == 0) return {};
  if ((parts & (deviations | places)) != 0) parts |= everything;
  const IeeeMode ieee;
  if (parts == squares) {
    Statistics s;
    s.sum_squares = sum_squares(view, options);
    s.count = view.size();
    if (is_finite(s.sum_squares)) return s;
  }
  return with_kernel_type(view.dtype(),
                          [&]<class Element>(Element) { return read_statistics<Element>(view, parts, options); });
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
