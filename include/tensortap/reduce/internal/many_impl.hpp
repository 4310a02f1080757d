// Many tensors at once. Their sums of squares are added in the tree of one tensor; small tensors take a short path.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/memory_overlap.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduce/internal/tensor_statistics.hpp>
#include <tensortap/reduce/internal/worker_pool.hpp>
#include <tensortap/reduce/many.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/tensor/writable_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

template <class View>
void require_real(std::span<const View> tensors) {
  for (const TensorView& view : tensors)
    if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
}

/// Returns true if several threads read this tensor together.
inline bool is_shared(const TensorView& view) noexcept { return block_count(view) >= 256; }

/// Returns the sum of squares of each tensor. Threads share large tensors, and take several small ones at a time.
template <class View>
std::vector<double> squares_by_threads(std::span<const View> tensors, ReduceOptions options) {
  constexpr std::size_t handful = 16;
  std::vector<double> found(tensors.size());
  for (std::size_t k = 0; k < tensors.size(); ++k)
    if (is_shared(tensors[k])) found[k] = sum_squares(tensors[k], options);
  WorkerPool::instance().run((tensors.size() + handful - 1) / handful, options.threads, [&](std::size_t i) {
    const IeeeMode ieee;
    for (std::size_t k = i * handful; k < std::min(tensors.size(), (i + 1) * handful); ++k)
      if (!is_shared(tensors[k])) found[k] = sum_squares(tensors[k]);
  });
  return found;
}

/// Adds the sums of squares of all tensors in the order of the elements of one float64 tensor.
template <class View>
[[gnu::noinline]] double sum_squares_of_all(std::span<const View> tensors, ReduceOptions options) {
  if (tensors.empty()) return 0;
  std::vector<double> found;
  if (options.threads > 1) found = squares_by_threads(tensors, options);
  const auto leaf = [&](std::size_t i) {
    const std::size_t first = i * block_size;
    const std::size_t count = std::min(block_size, tensors.size() - first);
    double one_by_one[block_size];
    if (found.empty())
      for (std::size_t k = 0; k < count; ++k) one_by_one[k] = sum_squares(tensors[first + k]);
    BlockTotals<double> totals;
    const double* const elements = found.empty() ? one_by_one : found.data() + first;
    kernels<double>().sums(reinterpret_cast<const std::byte*>(elements), count, 0, totals);
    return totals.sum;
  };
  return pairwise(0, (tensors.size() + block_size - 1) / block_size, leaf,
                  [](double a, double b) { return rounded(a + b); });
}

/// Returns the norm of all tensors. The caller sets the `IeeeMode`.
template <class View>
[[gnu::noinline]] double norm_of_all(std::span<const View> tensors, ReduceOptions options) {
  const double found = sum_squares_of_all(tensors, options);
  if (is_finite(found)) return std::sqrt(found);
  bool nan = false;
  bool infinite = false;
  for (const TensorView& view : tensors) {
    const Statistics s = statistics_of(view, squares, options);
    nan = nan || s.nan > 0;
    infinite = infinite || s.non_finite() > s.nan || !is_finite(s.sum_squares);
  }
  return number_of(nan ? nan_bits : infinity_bits<double>);
}

/// Calls `f(pointer, count, stride)` for each run of elements with one stride, in bytes.
template <class F>
void for_each_run(const WritableView& view, const F& f) {
  auto* const first = static_cast<std::byte*>(view.data());
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  if (view.size() == 0) return;
  if (view.is_contiguous()) return f(first, view.size(), width);
  const std::size_t last = view.rank() - 1;
  const auto run = static_cast<std::size_t>(view.shape()[last]);
  std::int64_t index[TensorView::max_rank]{};
  for (std::size_t done = 0; done < view.size(); done += run) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < last; ++axis) offset += index[axis] * view.strides()[axis];
    f(first + offset * width, run, view.strides()[last] * width);
    for (std::size_t axis = last; axis-- > 0;) {  // carry
      if (++index[axis] < view.shape()[axis]) break;
      index[axis] = 0;
    }
  }
}

template <class T>
void scale_run(std::byte* at, std::size_t count, std::int64_t stride, double factor, DType dtype) noexcept {
  for (std::size_t i = 0; i < count; ++i, at += stride) {
    T x;
    std::memcpy(&x, at, sizeof x);
    double wide;
    if constexpr (requires { x.bits; })
      wide = static_cast<double>(static_cast<float>(x));
    else
      wide = static_cast<double>(x);
    const std::uint64_t bits = narrowed(rounded(wide * factor), dtype);
    std::memcpy(at, &bits, sizeof x);
  }
}

/// Scales contiguous floats, in vectors of 16 bytes.
inline void scale_floats(std::byte* at, std::size_t count, double factor) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4, at += sizeof(F32x4)) {
    const Four<float> x = Four<float>::at(at);
    const F64x2 low = rounded(x.low() * factor);
    const F64x2 high = rounded(x.high() * factor);
    const float scaled[4] = {static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
                             static_cast<float>(high[1])};
    std::memcpy(at, scaled, sizeof scaled);
  }
  scale_run<float>(at, count - i, sizeof(float), factor, DType::f32);
}

/// Multiplies a tensor of floating type by `to` / `from`, in place. Elements that are not finite stay so. The caller
/// sets the `IeeeMode`.
[[gnu::noinline]] inline void scale(const WritableView& view, double to, double from) {
  const double factor = quotient(to, from);
  for_each_run(view, [&](std::byte* at, std::size_t count, std::int64_t stride) {
    switch (view.dtype()) {
      case DType::f16: return scale_run<Half>(at, count, stride, factor, DType::f16);
      case DType::bf16: return scale_run<BFloat16>(at, count, stride, factor, DType::bf16);
      case DType::f64: return scale_run<double>(at, count, stride, factor, DType::f64);
      default:
        if (stride == sizeof(float)) return scale_floats(at, count, factor);
        return scale_run<float>(at, count, stride, factor, DType::f32);
    }
  });
}

}  // namespace detail

TENSORTAP_INLINE double global_norm(std::span<const TensorView> tensors, ReduceOptions options) {
  detail::require_real(tensors);
  const detail::IeeeMode ieee;
  return detail::norm_of_all(tensors, options);
}

TENSORTAP_INLINE std::vector<double> sums_of_squares(std::span<const TensorView> tensors, ReduceOptions options) {
  detail::require_real(tensors);
  const detail::IeeeMode ieee;
  return detail::squares_by_threads(tensors, options);
}

TENSORTAP_INLINE Statistics statistics(std::span<const TensorView> tensors, ReduceOptions options) {
  detail::require_real(tensors);
  if (tensors.empty()) return {};
  const auto leaf = [&](std::size_t i) { return detail::statistics_of(tensors[i], detail::whole, options); };
  const detail::IeeeMode ieee;
  return detail::pairwise(0, tensors.size(), leaf, detail::merge_statistics);
}

TENSORTAP_INLINE double clip_grad_norm(std::span<const WritableView> tensors, double max_norm, ReduceOptions options) {
  if (!(max_norm >= 0)) throw Error::bad_max_norm(max_norm);
  for (const WritableView& view : tensors)
    if (!is_floating(view.dtype())) throw Error::wrong_type("floating-point numbers", to_string(view.dtype()));
  const std::vector<std::size_t> distinct = detail::distinct_tensors(tensors);
  if (const auto shared = detail::find_shared_memory(tensors, std::span<const std::size_t>(distinct)))
    throw Error::shared_memory("clip_grad_norm", shared->first, shared->second);
  const detail::IeeeMode ieee;
  const double norm = detail::norm_of_all(tensors, options);
  if (detail::is_finite(norm) && norm > max_norm)
    for (const std::size_t k : distinct) detail::scale(tensors[k], max_norm, norm);
  return norm;
}

TENSORTAP_END_NAMESPACE
