// A view of a tensor that another object owns: the address of its elements, their type, and the shape. Nothing is
// copied.
//
//   float weights[6] = {1, 2, 3, 4, 5, 6};
//   tensortap::TensorView view(weights, tensortap::DType::f32, std::array<std::int64_t, 2>{2, 3});
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A view of a tensor. The element type and the rank are values, not template parameters, so that the code behind it is
/// compiled once. Lifetime: as long as the memory of the elements.
class TensorView {
 public:
  static constexpr std::size_t max_rank = 8;
  using Extents = std::span<const std::int64_t>;
  /// Returns element `i` of an array of strings.
  using StringAt = std::string_view (*)(const void* data, std::size_t i);

  TensorView() = default;

  /// Makes a view of contiguous elements in row-major order.
  /// Throws: a rank above 8, a negative extent, a size of 2^63 bytes or more.
  TensorView(const void* data, DType dtype, Extents shape);

  /// Makes a view with strides, which count elements and may be negative. Ignores the stride of an extent 1.
  /// Throws: as above; the numbers of extents and strides differ.
  TensorView(const void* data, DType dtype, Extents shape, Extents strides);

  /// Makes a view of `count` strings along one axis.
  static TensorView of_strings(const void* data, std::size_t count, StringAt at);

  /// Returns the address of the first element, which has index (0, 0, …).
  [[nodiscard]] const void* data() const noexcept { return data_; }
  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }
  /// Returns the extents, outermost first.
  [[nodiscard]] Extents shape() const noexcept { return {shape_.data(), rank_}; }
  /// Units: elements.
  [[nodiscard]] Extents strides() const noexcept { return {strides_.data(), rank_}; }
  /// Returns the number of elements; 1 for rank 0.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Returns the number of bytes of all elements; 0 for strings.
  [[nodiscard]] std::size_t nbytes() const noexcept { return size_ * size_of(dtype_); }
  /// Returns whether the elements lie one after the other in row-major order.
  [[nodiscard]] bool is_contiguous() const noexcept { return contiguous_; }
  /// Returns the bytes of a contiguous view.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(data_), nbytes()};
  }
  /// Returns element `i` of a view of strings.
  [[nodiscard]] std::string_view string(std::size_t i) const { return string_at_(data_, i); }

 private:
  void set_shape(Extents shape);
  [[nodiscard]] bool is_row_major() const noexcept;
  [[noreturn]] static void throw_rank_too_large(std::size_t rank);
  [[noreturn]] static void throw_strides_mismatch(std::size_t strides, std::size_t rank);
  [[noreturn]] static void throw_shape_too_large();

  // What small tensors need lies in one cache line.
  const void* data_ = nullptr;
  std::uint64_t size_ = 1;
  DType dtype_ = DType::f32;
  bool contiguous_ = true;
  std::uint8_t rank_ = 0;
  StringAt string_at_ = nullptr;
  std::array<std::int64_t, max_rank> shape_{};
  std::array<std::int64_t, max_rank> strides_{};
};

// Constructors are inline in every mode: hook.save() makes a view in each call, due or not, and a call costs 20 ns.

inline TensorView::TensorView(const void* data, DType dtype, Extents shape) : data_(data), dtype_(dtype) {
  set_shape(shape);
  std::int64_t step = 1;
  for (std::size_t axis = rank_; axis-- > 0; step *= shape_[axis]) strides_[axis] = step;
}

inline TensorView::TensorView(const void* data, DType dtype, Extents shape, Extents strides)
    : data_(data), dtype_(dtype) {
  set_shape(shape);
  if (strides.size() != rank_) throw_strides_mismatch(strides.size(), rank_);
  for (std::size_t axis = 0; axis < rank_; ++axis) strides_[axis] = strides[axis];
  contiguous_ = is_row_major();
}

inline void TensorView::set_shape(Extents shape) {
  if (shape.size() > max_rank) throw_rank_too_large(shape.size());
  rank_ = static_cast<std::uint8_t>(shape.size());
  // Extents of 0 count as 1 here, so that no product of extents can overflow, strides included.
  std::int64_t bytes = dtype_ == DType::string ? static_cast<std::int64_t>(sizeof(std::string))
                                               : static_cast<std::int64_t>(size_of(dtype_));
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    shape_[axis] = shape[axis];
    if (shape[axis] < 0 || __builtin_mul_overflow(bytes, shape[axis] == 0 ? 1 : shape[axis], &bytes))
      throw_shape_too_large();
    size_ *= static_cast<std::uint64_t>(shape[axis]);
  }
}

inline bool TensorView::is_row_major() const noexcept {
  std::int64_t expected = 1;
  for (std::size_t axis = rank_; axis-- > 0;) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return size_ == 0;
    expected *= shape_[axis];
  }
  return true;
}

/// Copies the elements [first, first + count) of `view`, in row-major order, to `to`. The view may have any strides,
/// and must not hold strings.
void copy_row_major(const TensorView& view, std::size_t first, std::size_t count, std::byte* to);

/// Copies all elements of `view`, in row-major order, to `to`, which has room for `view.nbytes()` bytes.
void copy_row_major(const TensorView& view, std::byte* to);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/tensor/internal/view_impl.hpp>
#endif
