// The arithmetic with which the sums of two pieces of a tensor become those of the whole, without losing what a
// variance needs. Not for user code: `merge` of statistics.hpp uses it.
//
//   const auto [value, error] = tensortap::detail::two_sum(1e16, 1.0);   // 1e16, 1
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A result and what rounding took from it, exactly.
struct WithError {
  double value, error;
};

/// a + b (Knuth, TAOCP 4.2.2, theorem B). No error after an overflow.
inline WithError two_sum(double a, double b) noexcept {
  const double sum = rounded(a + b);
  const double b_part = rounded(sum - a);
  const double a_part = rounded(sum - b_part);
  const double error = rounded(rounded(a - a_part) + rounded(b - b_part));
  return {sum, is_finite(sum) ? error : 0};
}

/// a * b (Dekker, "A floating-point technique for extending the available precision", 1971). NaN above 1e300. Not
/// std::fma: clang makes a product and a sum of it under -ffast-math.
inline WithError two_product(double a, double b) noexcept {
  const auto upper_half = [](double x) {
    const double scaled = rounded(x * 0x8000001p0);
    return rounded(scaled - rounded(scaled - x));
  };
  const double a_high = upper_half(a);
  const double b_high = upper_half(b);
  const double a_low = rounded(a - a_high);
  const double b_low = rounded(b - b_high);
  const double product = rounded(a * b);
  double rest = rounded(product - rounded(a_high * b_high));
  rest = rounded(rest - rounded(a_low * b_high));
  rest = rounded(rest - rounded(a_high * b_low));
  return {product, rounded(rounded(a_low * b_low) - rest)};
}

/// A sum of n numbers: `sum` + `error`.
struct PartSum {
  double n, sum, error;
};

/// Squared deviations that appear when the numbers of `a` meet those of `b`: those of the two means from the common
/// one. The difference of the means is formed without rounding the means, which keeps the variance exact where the mean
/// is many times the std: at 1e6 times, rounding them would cost 1e-10.
/// Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
inline double deviations_between(const PartSum& a, const PartSum& b) noexcept {
  double deviations = 0;
  if (a.n == b.n) {
    const double difference = rounded(rounded(a.sum - b.sum) + rounded(a.error - b.error));
    deviations = quotient(rounded(difference * difference), rounded(a.n + b.n));
  } else {
    const WithError x = two_product(b.n, a.sum);
    const WithError y = two_product(a.n, b.sum);
    const double errors = rounded(rounded(b.n * a.error) - rounded(a.n * b.error));
    const double difference = rounded(rounded(x.value - y.value) + rounded(rounded(x.error - y.error) + errors));
    const double n_ab = rounded(a.n * b.n);
    const double of_means = quotient(difference, n_ab);
    deviations = rounded(rounded(of_means * of_means) * quotient(n_ab, rounded(a.n + b.n)));
  }
  return is_finite(deviations) ? deviations : number_of(infinity_bits<double>);  // overflow
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
