// The difference between a tensor and its previous value, in one pass over both: the norm of an update, its size
// relative to the weights, the place of the largest change, and whether the two are equal within a tolerance. Pairs
// with NaN or an infinity are counted; everything else describes the other pairs.
//
//   const std::vector<float> previous(gradient.size());
//   const tensortap::Difference d = tensortap::difference(gradient, previous, {.rtol = 1e-3});
//   std::cout << d.relative() << ", largest at element " << d.max_index.value_or(0) << '\n';
//   if (!d.allclose()) std::cout << d.count - d.close << " elements differ\n";
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The tolerances of two close elements: the test of numpy.allclose with its defaults, always in float64.
struct DifferenceOptions {
  double rtol = 1e-5;      ///< tolerance relative to the magnitude of y
  double atol = 1e-8;      ///< absolute tolerance
  bool equal_nan = false;  ///< true if two NaNs are close
};

/// Numbers about the pairs of elements of x and of y, its previous value. All but the counts describe pairs of finite
/// elements; integers beyond 2^53 are rounded to float64 first.
/// Numeric: float64 throughout. The sums of squares and l2 have a relative error of at most 1e-13; so has `products`,
/// relative to the sum of the magnitudes. Squares of float64 elements above 1e154 overflow to infinity, and products
/// then may sum to NaN; those below 1e-154 vanish.
/// Empty: counts and sums are 0, max_abs, relative and cosine NaN; no element differs, so allclose is true.
struct Difference {
  std::uint64_t count = 0;     ///< pairs, finite or not
  std::uint64_t nan = 0;       ///< pairs with a NaN
  std::uint64_t infinite = 0;  ///< other pairs with an infinity
  std::uint64_t close = 0;  ///< pairs with abs(x - y) <= atol + rtol * abs(y), and equal infinities; see also equal_nan
  std::optional<std::uint64_t> first_non_finite;  ///< row-major index of the first pair with a NaN or an infinity
  std::optional<std::uint64_t> max_index;         ///< row-major index of the first pair of the largest difference
  double max_abs = std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});  ///< the largest abs(x - y)
  double squared_differences = 0;                                             ///< sum of (x - y)^2
  double x_squares = 0;                                                       ///< sum of x^2
  double y_squares = 0;                                                       ///< sum of y^2
  double products = 0;                                                        ///< sum of x * y

  /// The number of pairs that the numbers do not describe.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + infinite; }
  /// The number of pairs that the numbers describe.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }

  /// The euclidean norm of x - y.
  [[nodiscard]] double l2() const noexcept;
  /// l2 divided by the norm of y: the relative size of an update. Infinite if only y is 0, NaN if both are 0.
  [[nodiscard]] double relative() const noexcept;
  /// The cosine of the angle between x and y. NaN if one of them is 0.
  [[nodiscard]] double cosine() const noexcept;
  /// True if all pairs are close, like numpy.allclose.
  [[nodiscard]] bool allclose() const noexcept { return close == count; }
};

/// Returns the difference of the elements of `a` followed by those of `b`, both found with the same options.
/// Numeric: equal to the difference of the whole tensors, bit for bit, if both are cut after 4096 * 2^k elements, with
/// the largest k that leaves elements for the second pieces. After any other cut, sums differ in the last bits.
[[nodiscard]] Difference merge(const Difference& a, const Difference& b) noexcept;

/// Compares `x` with `y`, its previous value.
/// Shape: the same for both; strides may differ.
/// Throws: other shapes, other element types, complex numbers and strings, tolerances below 0 or not finite.
/// Threads: any; needs 150 KiB of stack.
[[nodiscard]] Difference difference(const TensorView& x, const TensorView& y, const DifferenceOptions& options = {});

/// Accepts any types that as_view() accepts.
template <class X, class Y>
[[nodiscard]] Difference difference(const X& x, const Y& y, const DifferenceOptions& options = {}) {
  return difference(as_view(x), as_view(y), options);
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/difference_impl.hpp>
#endif
