// What has changed between a tensor and its previous value, in one pass over both: the norm of an update, how large it
// is beside the weights, where it is largest, and whether the two are equal within a tolerance. Pairs with NaN or an
// infinity are counted, and everything else describes the rest.
//
//   const std::vector<float> previous(gradient.size());
//   const tensortap::Difference d = tensortap::difference(gradient, previous, {.rtol = 1e-3});
//   std::cout << d.relative() << ", largest at element " << d.max_index.value_or(0) << '\n';
//   if (!d.allclose()) std::cout << d.count - d.close << " elements differ\n";
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/difference_kernel.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// When two elements are close: numpy.allclose's test with its defaults, always in float64.
struct DifferenceOptions {
  double rtol = 1e-5;      ///< of the magnitude of y
  double atol = 1e-8;      ///< what is tolerated anyway
  bool equal_nan = false;  ///< two NaNs are close
};

/// What there is to say about the pairs of elements of x and of y, its previous value. Numbers describe the pairs of
/// finite elements; of integers beyond 2^53, their nearest float64.
/// Numeric: in float64 from the first pair on. The sums of squares and l2 are within 1e-13 of the exact ones, products
/// relative to those of the magnitudes. Squares of float64 elements beyond 1e154 overflow, to infinity, and products
/// then may sum to NaN; those below 1e-154 vanish.
/// Empty: counts and sums are 0, max_abs, relative and cosine NaN; no element differs, so allclose is true.
struct Difference {
  std::uint64_t count = 0;     ///< pairs, finite or not
  std::uint64_t nan = 0;       ///< pairs in which there is a NaN
  std::uint64_t infinite = 0;  ///< other pairs in which there is an infinity
  std::uint64_t close = 0;     ///< pairs with abs(x - y) <= atol + rtol * abs(y), equal infinities, NaNs if so asked
  std::optional<std::uint64_t> first_non_finite;  ///< row-major index of the first pair with a NaN or an infinity
  std::optional<std::uint64_t> max_index;         ///< row-major index of the first pair of the largest difference
  double max_abs = std::bit_cast<double>(detail::nan_bits);  ///< that difference: the largest abs(x - y)
  double squared_differences = 0;                            ///< sum of (x - y)^2
  double x_squares = 0;                                      ///< sum of x^2
  double y_squares = 0;                                      ///< sum of y^2
  double products = 0;                                       ///< sum of x * y

  /// Pairs that are not among those the numbers are about.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + infinite; }
  /// Pairs that the numbers are about.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }

  /// The euclidean norm of x - y.
  [[nodiscard]] double l2() const noexcept;
  /// l2 beside the norm of y: how much an update changes the weights. Infinite if y is 0 and x is not, NaN if both are.
  [[nodiscard]] double relative() const noexcept;
  /// The cosine of the angle between x and y. NaN if one of them is 0.
  [[nodiscard]] double cosine() const noexcept;
  /// True if all pairs are close, like numpy.allclose.
  [[nodiscard]] bool allclose() const noexcept { return close == count; }
};

namespace detail {

/// `value`, or the NaN that has the same bits on every machine.
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

/// What `merge` gives.
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

inline double Difference::l2() const noexcept {
  const detail::IeeeMode ieee;
  return detail::root_of(squared_differences);
}

inline double Difference::relative() const noexcept {
  const detail::IeeeMode ieee;
  return detail::relative_norm(squared_differences, y_squares);
}

inline double Difference::cosine() const noexcept {
  const detail::IeeeMode ieee;
  return detail::cosine_of(products, x_squares, y_squares);
}

/// The difference of the elements of `a` followed by those of `b`, if both were found with the same options.
/// Numeric: cut tensors after their first 4096 * 2^k elements, the largest such number that leaves a rest, and the
/// merged difference of the pieces is that of the tensors, bit for bit. Cut elsewhere, sums differ in the last bits.
inline Difference merge(const Difference& a, const Difference& b) noexcept {
  const detail::IeeeMode ieee;
  return detail::merged(a, b);
}

namespace detail {

/// Counts the pairs that are not finite, and those of them that are close.
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

/// The difference of two blocks; `max_index` is 0.
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
  const std::size_t block = *out.max_index / block_size;  // so far the index is that of its first element
  const Block x_block = x_blocks[block];
  const Block y_block = y_blocks[block];
  *out.max_index += find_distance<In>(x_block.elements, y_block.elements, x_block.count, out.max_abs);
}

}  // namespace detail

/// What differs between `x` and `y`, its previous value.
/// Shape: the same for both; strides may differ.
/// Throws: other shapes, other element types, complex numbers and strings, tolerances below 0 or not finite.
/// Threads: any; needs 150 KiB of stack.
[[nodiscard]] inline Difference difference(const TensorView& x, const TensorView& y,
                                           const DifferenceOptions& options = {}) {
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

/// The same of whatever `as_view` sees tensors in.
template <class X, class Y>
[[nodiscard]] Difference difference(const X& x, const Y& y, const DifferenceOptions& options = {}) {
  return difference(as_view(x), as_view(y), options);
}

TENSORTAP_END_NAMESPACE
