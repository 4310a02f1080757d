// Copies elements with any strides.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE TensorView TensorView::of_strings(const void* data, std::size_t count, StringAt at) {
  const auto extent = static_cast<std::int64_t>(count);
  TensorView view(data, DType::string, Extents(&extent, 1));
  view.string_at_ = at;
  return view;
}

TENSORTAP_INLINE void TensorView::throw_rank_too_large(std::size_t rank) {
  throw Error::rank_too_large(rank, max_rank);
}

TENSORTAP_INLINE void TensorView::throw_strides_mismatch(std::size_t strides, std::size_t rank) {
  throw Error::strides_mismatch(strides, rank);
}

TENSORTAP_INLINE void TensorView::throw_shape_too_large() { throw Error::shape_too_large(); }

namespace detail {

template <std::size_t Size>
void copy_run(const std::byte* from, std::int64_t stride, std::size_t count, std::byte* to) noexcept {
  for (std::size_t i = 0; i < count; ++i, from += stride, to += Size) std::memcpy(to, from, Size);
}

}  // namespace detail

TENSORTAP_INLINE void copy_row_major(const TensorView& view, std::size_t first, std::size_t count, std::byte* to) {
  const std::size_t width = size_of(view.dtype());
  const auto* from = static_cast<const std::byte*>(view.data());
  if (count == 0) return;
  if (view.is_contiguous()) {
    std::memcpy(to, from + first * width, count * width);
    return;
  }
  // `index` is the position of element `first`. A run is a row of the last axis.
  std::array<std::size_t, TensorView::max_rank> index{};
  for (std::size_t axis = view.rank(), rest = first; axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(view.shape()[axis]);
    index[axis] = rest % extent;
    rest /= extent;
  }
  const std::size_t last = view.rank() - 1;
  const auto run_length = static_cast<std::size_t>(view.shape()[last]);
  const std::int64_t step = view.strides()[last] * static_cast<std::int64_t>(width);
  while (count > 0) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < view.rank(); ++axis)
      offset += static_cast<std::int64_t>(index[axis]) * (view.shape()[axis] == 1 ? 0 : view.strides()[axis]);
    const std::byte* run = from + offset * static_cast<std::int64_t>(width);
    const std::size_t n = std::min(count, run_length - index[last]);
    switch (width) {
      case 1: detail::copy_run<1>(run, step, n, to); break;
      case 2: detail::copy_run<2>(run, step, n, to); break;
      case 4: detail::copy_run<4>(run, step, n, to); break;
      case 8: detail::copy_run<8>(run, step, n, to); break;
      default: detail::copy_run<16>(run, step, n, to); break;
    }
    to += n * width;
    count -= n;
    index[last] = 0;
    for (std::size_t axis = last; axis-- > 0;) {  // carry
      if (++index[axis] < static_cast<std::size_t>(view.shape()[axis])) break;
      index[axis] = 0;
    }
  }
}

TENSORTAP_INLINE void copy_row_major(const TensorView& view, std::byte* to) {
  copy_row_major(view, 0, view.size(), to);
}

TENSORTAP_END_NAMESPACE
