// Numbers of many tensors at once, as all parameters or gradients of a model: one norm, one set of statistics, and
// gradients clipped to a norm.
//
//   std::vector<tensortap::TensorView> views;
//   for (const auto& tensor : gradients) views.push_back(tensortap::as_view(tensor));
//   const double norm = tensortap::global_norm(views, {.threads = 2});
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/over_blocks.hpp>
#include <tensortap/reduce/internal/scale.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduce/internal/totals.hpp>
#include <tensortap/reduce/internal/worker_pool.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/tensor/writable_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

template <class View>
void require_real(std::span<const View> tensors) {
  for (const TensorView& view : tensors)
    if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
}

/// The sum of squares of one tensor. Those of a few elements, of which models have many, take the shortest way.
inline double squares_of_tensor(const TensorView& view) {
  if (view.size() - 1 >= block_size || view.dtype() != DType::f32 || !view.is_contiguous()) return sum_squares(view);
  BlockTotals<float> totals;
  kernels<float>().squares(static_cast<const std::byte*>(view.data()), view.size(), 0, totals);
  return totals.sum_squares;
}

/// Whether several threads read it together.
inline bool is_shared(const TensorView& view) noexcept { return block_count(view) >= 256; }

/// The sum of squares of each tensor. Threads share large tensors, and take small ones in handfuls.
template <class View>
std::vector<double> squares_by_threads(std::span<const View> tensors, ReduceOptions options) {
  constexpr std::size_t handful = 16;
  std::vector<double> found(tensors.size());
  for (std::size_t k = 0; k < tensors.size(); ++k)
    if (is_shared(tensors[k])) found[k] = sum_squares(tensors[k], options);
  WorkerPool::instance().run((tensors.size() + handful - 1) / handful, options.threads, [&](std::size_t i) {
    const IeeeMode ieee;
    for (std::size_t k = i * handful; k < std::min(tensors.size(), (i + 1) * handful); ++k)
      if (!is_shared(tensors[k])) found[k] = squares_of_tensor(tensors[k]);
  });
  return found;
}

/// The sums of squares of all tensors, added as the elements of one float64 tensor would be.
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
      for (std::size_t k = 0; k < count; ++k) one_by_one[k] = squares_of_tensor(tensors[first + k]);
    BlockTotals<double> totals;
    const double* const elements = found.empty() ? one_by_one : found.data() + first;
    kernels<double>().sums(reinterpret_cast<const std::byte*>(elements), count, 0, totals);
    return totals.sum;
  };
  return pairwise(0, (tensors.size() + block_size - 1) / block_size, leaf,
                  [](double a, double b) { return rounded(a + b); });
}

/// The caller sets the `IeeeMode`.
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

}  // namespace detail

/// The euclidean norm of all elements of all tensors, in float64. NaN propagates, and infinities count.
/// Numeric: the same bits with any number of threads. Empty: 0. Throws: complex numbers and strings.
/// Threads: any; needs 200 KiB of stack. With `options.threads`, others help with large tensors.
[[nodiscard]] inline double global_norm(std::span<const TensorView> tensors, ReduceOptions options = {}) {
  detail::require_real(tensors);
  const detail::IeeeMode ieee;
  return detail::norm_of_all(tensors, options);
}

/// The statistics of all elements of all tensors, in this order: indices count through them.
/// Numeric: the same bits with any number of threads. Throws: complex numbers and strings.
[[nodiscard]] inline Statistics statistics(std::span<const TensorView> tensors, ReduceOptions options = {}) {
  detail::require_real(tensors);
  if (tensors.empty()) return {};
  const auto leaf = [&](std::size_t i) { return detail::statistics_of(tensors[i], detail::whole, options); };
  const detail::IeeeMode ieee;
  return detail::pairwise(0, tensors.size(), leaf, detail::merge_statistics);
}

/// Scales all tensors in place so that their global norm is at most `max_norm`, and returns the norm they had. They
/// stay as they are if it is not larger, or not finite. Numeric: each element times max_norm / norm, which is rounded
/// to float64; the product is rounded to the element's type. Throws: tensors that are not of floating type; a
/// `max_norm` that is negative or NaN. Threads: as `global_norm`. Source: Pascanu, Mikolov, Bengio, "On the difficulty
/// of training RNNs", 2013.
inline double clip_grad_norm(std::span<const WritableView> tensors, double max_norm, ReduceOptions options = {}) {
  if (!(max_norm >= 0)) throw Error::bad_max_norm(max_norm);
  for (const WritableView& view : tensors)
    if (!is_floating(view.dtype())) throw Error::wrong_type("floating-point numbers", to_string(view.dtype()));
  const detail::IeeeMode ieee;
  const double norm = detail::norm_of_all(tensors, options);
  if (detail::is_finite(norm) && norm > max_norm)
    for (const WritableView& view : tensors) detail::scale(view, max_norm, norm);
  return norm;
}

TENSORTAP_END_NAMESPACE
