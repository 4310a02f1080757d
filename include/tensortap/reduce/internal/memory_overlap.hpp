// Finds elements that share memory, such as those of a stride 0, of overlapping windows, or of a tensor given twice: a
// change in place would reach them several times.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The addresses from the first byte of any element to the end of the last.
struct MemoryRange {
  std::uintptr_t begin;
  std::uintptr_t end;
  std::size_t tensor;  ///< an index
};

inline MemoryRange memory_range(const TensorView& view, std::size_t tensor) noexcept {
  std::int64_t low = 0;
  std::int64_t high = 1;
  for (std::size_t axis = 0; axis < view.rank(); ++axis) {
    const std::int64_t reach = (view.shape()[axis] - 1) * view.strides()[axis];
    (reach < 0 ? low : high) += reach;
  }
  const auto origin = reinterpret_cast<std::uintptr_t>(view.data());
  const std::size_t width = size_of(view.dtype());
  return {origin + static_cast<std::uintptr_t>(low) * width, origin + static_cast<std::uintptr_t>(high) * width,
          tensor};
}

/// Returns true if the strides alone show that all elements are apart: each is larger than what the smaller ones reach.
inline bool has_nested_strides(const TensorView& view) noexcept {
  if (view.is_contiguous()) return true;
  std::array<std::pair<std::int64_t, std::int64_t>, TensorView::max_rank> axes{};  // stride, extent
  std::size_t count = 0;
  for (std::size_t axis = 0; axis < view.rank(); ++axis)
    if (view.shape()[axis] > 1)
      axes[count++] = {view.strides()[axis] < 0 ? -view.strides()[axis] : view.strides()[axis], view.shape()[axis]};
  const auto end = axes.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(axes.begin(), end, end);  // all of it: g++ 12 warns of std::sort in an array of less than 16
  std::int64_t reach = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (axes[i].first <= reach) return false;
    reach += (axes[i].second - 1) * axes[i].first;
  }
  return true;
}

/// Appends the address ranges of all elements: one for each row of the last axis whose elements are neighbours.
inline void append_elements(const TensorView& view, std::size_t tensor, std::vector<MemoryRange>& out) {
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  const bool by_rows = view.rank() > 0 && view.strides()[view.rank() - 1] == 1;
  const std::size_t axes = by_rows ? view.rank() - 1 : view.rank();
  const std::int64_t length = by_rows ? view.shape()[axes] : 1;
  std::array<std::int64_t, TensorView::max_rank> index{};
  for (std::size_t done = 0; done < view.size(); done += static_cast<std::size_t>(length)) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < axes; ++axis) offset += index[axis] * view.strides()[axis];
    const auto begin = reinterpret_cast<std::uintptr_t>(view.data()) + static_cast<std::uintptr_t>(offset * width);
    out.push_back({begin, begin + static_cast<std::uintptr_t>(length * width), tensor});
    for (std::size_t axis = axes; axis-- > 0;) {
      if (++index[axis] < view.shape()[axis]) break;
      index[axis] = 0;
    }
  }
}

/// Sorts `ranges` and returns the tensors of the first two that overlap.
inline std::optional<std::pair<std::size_t, std::size_t>> first_overlap(std::vector<MemoryRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const MemoryRange& a, const MemoryRange& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin < ranges[i - 1].end) return std::pair{ranges[i - 1].tensor, ranges[i].tensor};
  return std::nullopt;
}

/// Returns the indices of the tensors without those that repeat an earlier one: the same elements in the same order.
template <class View>
std::vector<std::size_t> distinct_tensors(std::span<const View> tensors) {
  const auto is_same = [&](std::size_t a, std::size_t b) {
    const TensorView& x = tensors[a];
    const TensorView& y = tensors[b];
    return x.dtype() == y.dtype() && std::ranges::equal(x.shape(), y.shape()) &&
           std::ranges::equal(x.strides(), y.strides());
  };
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto address = [&](std::size_t k) { return reinterpret_cast<std::uintptr_t>(tensors[k].data()); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return address(a) < address(b); });
  std::vector<std::size_t> out;
  for (const std::size_t k : order) {
    bool is_repeated = false;
    for (std::size_t i = out.size(); i-- > 0 && address(out[i]) == address(k) && !is_repeated;)
      is_repeated = is_same(out[i], k);
    if (!is_repeated) out.push_back(k);
  }
  return out;
}

/// Returns the indices of two of `chosen` tensors, or twice that of one, whose elements share memory; nullopt if all
/// elements are apart. Looks at single elements only where ranges or strides leave it open.
template <class View>
std::optional<std::pair<std::size_t, std::size_t>> find_shared_memory(std::span<const View> tensors,
                                                                      std::span<const std::size_t> chosen) {
  std::vector<MemoryRange> ranges;
  ranges.reserve(chosen.size());
  bool nested = true;
  for (const std::size_t k : chosen) {
    if (tensors[k].size() == 0) continue;
    ranges.push_back(memory_range(tensors[k], k));
    nested = nested && has_nested_strides(tensors[k]);
  }
  const bool overlaps = first_overlap(ranges).has_value();  // sorts, too
  if (nested && !overlaps) return std::nullopt;
  std::vector<MemoryRange> elements;
  std::uintptr_t end = 0;
  for (const MemoryRange& range : ranges) {  // groups of ranges that overlap
    if (range.begin >= end) {
      if (const auto found = first_overlap(elements)) return found;
      elements.clear();
    }
    append_elements(tensors[range.tensor], range.tensor, elements);
    end = std::max(end, range.end);
  }
  return first_overlap(elements);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
