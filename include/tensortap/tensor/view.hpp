// A borrowed look at a tensor: where its elements are, of what type, in which shape. Nothing is copied and nothing is
// owned.
//
//   float weights[6] = {1, 2, 3, 4, 5, 6};
//   tensortap::TensorView view(weights, tensortap::DType::f32, std::array<std::int64_t, 2>{2, 3});
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A tensor somebody else owns. The element type and the rank are values, so that everything behind it is compiled
/// once. Lifetime: as long as the memory it looks at.
class TensorView {
 public:
  static constexpr std::size_t max_rank = 8;
  using Extents = std::span<const std::int64_t>;
  /// How to get element `i` of an array of strings.
  using StringAt = std::string_view (*)(const void* data, std::size_t i);

  TensorView() = default;

  /// Row-major and contiguous. Throws: rank above 8, negative extents, sizes beyond 2^63 bytes.
  TensorView(const void* data, DType dtype, Extents shape) : data_(data), dtype_(dtype) {
    set_shape(shape);
    std::int64_t step = 1;
    for (std::size_t axis = rank_; axis-- > 0; step *= shape_[axis]) strides_[axis] = step;
  }

  /// Strides in elements, negative ones allowed; the stride of an extent 1 means nothing.
  TensorView(const void* data, DType dtype, Extents shape, Extents strides) : data_(data), dtype_(dtype) {
    set_shape(shape);
    if (strides.size() != rank_) throw Error::strides_mismatch(strides.size(), rank_);
    std::copy_n(strides.begin(), rank_, strides_.begin());
    contiguous_ = is_row_major();
  }

  /// One axis of `count` strings, reached through `at`.
  static TensorView of_strings(const void* data, std::size_t count, StringAt at) {
    const auto extent = static_cast<std::int64_t>(count);
    TensorView view(data, DType::string, Extents(&extent, 1));
    view.string_at_ = at;
    return view;
  }

  /// The first element (of index 0, 0, …).
  [[nodiscard]] const void* data() const noexcept { return data_; }
  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }
  /// Extents, outermost first.
  [[nodiscard]] Extents shape() const noexcept { return {shape_.data(), rank_}; }
  /// Units: elements.
  [[nodiscard]] Extents strides() const noexcept { return {strides_.data(), rank_}; }
  /// Number of elements; 1 for rank 0.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Bytes of all elements; 0 for strings.
  [[nodiscard]] std::size_t nbytes() const noexcept { return size_ * size_of(dtype_); }
  /// True if the elements lie one after the other in row-major order.
  [[nodiscard]] bool is_contiguous() const noexcept { return contiguous_; }
  /// The bytes of a contiguous view.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(data_), nbytes()};
  }
  /// Element `i` of a view of strings.
  [[nodiscard]] std::string_view string(std::size_t i) const { return string_at_(data_, i); }

 private:
  void set_shape(Extents shape) {
    if (shape.size() > max_rank) throw Error::rank_too_large(shape.size(), max_rank);
    rank_ = shape.size();
    // Extents of 0 count as 1 here, so that no product of extents, strides included, can overflow.
    std::int64_t bytes = dtype_ == DType::string ? static_cast<std::int64_t>(sizeof(std::string))
                                                 : static_cast<std::int64_t>(size_of(dtype_));
    for (std::size_t axis = 0; axis < rank_; ++axis) {
      shape_[axis] = shape[axis];
      if (shape[axis] < 0 || __builtin_mul_overflow(bytes, std::max<std::int64_t>(shape[axis], 1), &bytes))
        throw Error::shape_too_large();
      size_ *= static_cast<std::uint64_t>(shape[axis]);
    }
  }

  [[nodiscard]] bool is_row_major() const noexcept {
    std::int64_t expected = 1;
    for (std::size_t axis = rank_; axis-- > 0;) {
      if (shape_[axis] != 1 && strides_[axis] != expected) return size_ == 0;
      expected *= shape_[axis];
    }
    return true;
  }

  const void* data_ = nullptr;
  StringAt string_at_ = nullptr;
  std::uint64_t size_ = 1;
  std::array<std::int64_t, max_rank> shape_{};
  std::array<std::int64_t, max_rank> strides_{};
  std::size_t rank_ = 0;
  DType dtype_ = DType::f32;
  bool contiguous_ = true;
};

namespace detail {

template <std::size_t Size>
void copy_run(const std::byte* from, std::int64_t stride, std::size_t count, std::byte* to) noexcept {
  for (std::size_t i = 0; i < count; ++i, from += stride, to += Size) std::memcpy(to, from, Size);
}

}  // namespace detail

/// Copies elements [first, first + count) of `view`, in row-major order, to `to`. Any strides; not for strings.
inline void copy_row_major(const TensorView& view, std::size_t first, std::size_t count, std::byte* to) {
  const std::size_t width = size_of(view.dtype());
  const auto* from = static_cast<const std::byte*>(view.data());
  if (count == 0) return;
  if (view.is_contiguous()) {
    std::memcpy(to, from + first * width, count * width);
    return;
  }
  // `index` is the position of element `first`; the last axis is walked in runs.
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

/// Copies the whole of `view` in row-major order to `to`, which holds `view.nbytes()` bytes.
inline void copy_row_major(const TensorView& view, std::byte* to) { copy_row_major(view, 0, view.size(), to); }

TENSORTAP_END_NAMESPACE
