// How two tensors are compared: block by block with one kernel, and again where a block holds NaN or infinities.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/difference.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/difference_kernel.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Replaces any NaN by the one with the same bits on every machine.
inline double with_usual_nan(double value) noexcept {
  return (bits_of(value) & ~sign_bit<double>) > infinity_bits<double> ? number_of(nan_bits) : value;
}

[[gnu::noinline]] inline double root_of(double sum_squares) noexcept { return rounded(std::sqrt(sum_squares)); }

[[gnu::noinline]] inline double relative_norm(double squared_differences, double y_squares) noexcept {
  return with_usual_nan(quotient(root_of(squared_differences), root_of(y_squares)));
}

[[gnu::noinline]] inline double cosine_of(double products, double x_squares, double y_squares) noexcept {
  const double found = with_usual_nan(quotient(products, rounded(root_of(x_squares) * root_of(y_squares))));
  if (bits_of(found) == nan_bits) return found;  // -ffast-math would make 1 of it below
  return found > 1 ? 1 : found < -1 ? -1 : found;
}

/// merge() without its floating-point mode.
[[gnu::noinline]] inline Difference merged(const Difference& a, const Difference& b) noexcept {
  Difference d = a;
  d.count += b.count;
  d.nan += b.nan;
  d.infinite += b.infinite;
  d.close += b.close;
  if (!a.first_non_finite && b.first_non_finite) d.first_non_finite = a.count + *b.first_non_finite;
  if (b.max_index && (!a.max_index || bits_of(b.max_abs) > bits_of(a.max_abs))) {
    d.max_index = a.count + *b.max_index;
    d.max_abs = b.max_abs;
  }
  d.squared_differences = rounded(a.squared_differences + b.squared_differences);
  d.x_squares = rounded(a.x_squares + b.x_squares);
  d.y_squares = rounded(a.y_squares + b.y_squares);
  d.products = with_usual_nan(rounded(a.products + b.products));
  return d;
}

}  // namespace detail

TENSORTAP_INLINE double Difference::l2() const noexcept {
  const detail::IeeeMode ieee;
  return detail::root_of(squared_differences);
}

TENSORTAP_INLINE double Difference::relative() const noexcept {
  const detail::IeeeMode ieee;
  return detail::relative_norm(squared_differences, y_squares);
}

TENSORTAP_INLINE double Difference::cosine() const noexcept {
  const detail::IeeeMode ieee;
  return detail::cosine_of(products, x_squares, y_squares);
}

TENSORTAP_INLINE Difference merge(const Difference& a, const Difference& b) noexcept {
  const detail::IeeeMode ieee;
  return detail::merged(a, b);
}

namespace detail {

/// Counts the pairs that are not finite, and the close ones among them.
template <class In>
[[gnu::noinline]] void count_non_finite_pairs(const Block& x, const Block& y, bool equal_nan, Difference& d) noexcept {
  const auto is_nan = [](In e) { return (bits_of(e) & ~sign_bit<In>) > infinity_bits<In>; };
  for (std::size_t i = 0; i < x.count; ++i) {
    const In a = load<In>(x.elements + i * sizeof(In));
    const In b = load<In>(y.elements + i * sizeof(In));
    if (is_finite(a) && is_finite(b)) continue;
    if (!d.first_non_finite) d.first_non_finite = i;
    if (is_nan(a) || is_nan(b)) {
      ++d.nan;
      d.close += equal_nan && is_nan(a) && is_nan(b);
    } else {
      ++d.infinite;
      d.close += bits_of(a) == bits_of(b);
    }
  }
}

/// Returns the difference of two blocks. `max_index` is 0.
template <class In>
Difference block_difference(const Block& x, const Block& y, const DifferenceOptions& options) noexcept {
  const Tolerance tolerance{.absolute = options.atol, .relative = options.rtol};
  Difference d;
  d.count = x.count;
  PairLanes lanes;
  add_pairs<In, false>(x.elements, y.elements, x.count, tolerance, lanes);
  double x_squares = add_lanes(lanes.x_squares, lane_count);
  double y_squares = add_lanes(lanes.y_squares, lane_count);
  if (!is_finite(x_squares) || !is_finite(y_squares)) {
    count_non_finite_pairs<In>(x, y, options.equal_nan, d);
    if (d.non_finite() > 0) {  // else a sum of large float64 has overflowed
      lanes = PairLanes{};
      add_pairs<In, true>(x.elements, y.elements, x.count, tolerance, lanes);
      x_squares = add_lanes(lanes.x_squares, lane_count);
      y_squares = add_lanes(lanes.y_squares, lane_count);
      d.close -= d.non_finite();  // those were added as zeros, which are close
    }
  }
  for (const std::int64_t close : lanes.close) d.close += static_cast<std::uint64_t>(close);
  if (d.finite() == 0) return d;
  d.max_index = 0;
  d.max_abs = fold_lanes(lanes.largest, lane_count, [](double a, double b) { return a > b ? a : b; });
  d.squared_differences = add_lanes(lanes.squared_differences, lane_count);
  d.x_squares = x_squares;
  d.y_squares = y_squares;
  d.products = with_usual_nan(add_lanes(lanes.products, lane_count));
  return d;
}

template <class In>
[[gnu::noinline]] void read_difference(const TensorView& x, const TensorView& y, const DifferenceOptions& options,
                                       Difference& out) {
  BlockReader<In> x_blocks(x);
  BlockReader<In> y_blocks(y);
  const auto leaf = [&](std::size_t i) { return block_difference<In>(x_blocks[i], y_blocks[i], options); };
  out = pairwise(0, block_count(x), leaf, merged);
  if (!out.max_index) return;
  const std::size_t block = *out.max_index / block_size;  // `max_index` is still that of the block's first element
  const Block x_block = x_blocks[block];
  const Block y_block = y_blocks[block];
  *out.max_index += find_distance<In>(x_block.elements, y_block.elements, x_block.count, out.max_abs);
}

}  // namespace detail

TENSORTAP_INLINE Difference difference(const TensorView& x, const TensorView& y, const DifferenceOptions& options) {
  if (!is_real(x.dtype())) throw Error::wrong_type("real numbers", to_string(x.dtype()));
  if (x.dtype() != y.dtype()) throw Error::types_differ(to_string(x.dtype()), to_string(y.dtype()));
  if (!std::ranges::equal(x.shape(), y.shape())) throw Error::shapes_differ(x.shape(), y.shape());
  if (!detail::is_finite(options.rtol) || options.rtol < 0) throw Error::bad_tolerance("rtol", options.rtol);
  if (!detail::is_finite(options.atol) || options.atol < 0) throw Error::bad_tolerance("atol", options.atol);
  Difference d;
  if (x.size() == 0) return d;
  const detail::IeeeMode ieee;
  detail::fits_float(x.dtype()) ? detail::read_difference<float>(x, y, options, d)
                                : detail::read_difference<double>(x, y, options, d);
  return d;
}

TENSORTAP_END_NAMESPACE
