// The arithmetic with which the sums of two pieces of a tensor become those of the whole, without losing what a variance needs.
// Not for user code: `merge` of statistics.hpp does it.
//
//   const auto [sum, error] = tensortap::detail::two_sum(1e16, 1.0);   // 1e16, 1
#pragma once

#include <cmath>

#include <tensortap/reduce/lanes.hpp>

namespace tensortap::inline v0::detail {

/// a + b and what rounding takes from it, exactly (Knuth, TAOCP 4.2.2, theorem B); no error after an overflow.
struct TwoSum {
  double sum, error;
};
inline TwoSum two_sum(double a, double b) noexcept {
  const double sum = rounded(a + b);
  const double b_part = rounded(sum - a);
  const double a_part = rounded(sum - b_part);
  const double error = rounded(rounded(a - a_part) + rounded(b - b_part));
  return {sum, is_finite(sum) ? error : 0};
}

/// A sum of n numbers: `sum` + `error`.
struct PartSum {
  double n, sum, error;
};

/// Squared deviations that appear when the numbers of `a` meet those of `b`: those of the two means from the common one. The
/// difference of the means is formed without rounding the means, which keeps the variance exact where the mean is many times
/// the std: at 1e6 times, rounding them would cost 1e-10.
/// Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
inline double deviations_between(const PartSum& a, const PartSum& b) noexcept {
  if (!is_finite(a.sum) || !is_finite(b.sum)) return number_of(infinity_bits<double>);
  if (a.n == b.n) {
    const double difference = rounded(rounded(a.sum - b.sum) + rounded(a.error - b.error));
    return quotient(rounded(difference * difference), rounded(a.n + b.n));
  }
  // b.n a.sum - a.n b.sum, to the last bit (Kahan; see Jeannerod, Louvet, Muller 2013).
  const double product = rounded(a.n * b.sum);
  const double product_error = rounded(std::fma(-a.n, b.sum, product));
  const double crossed = rounded(rounded(std::fma(b.n, a.sum, -product)) + product_error);
  const double errors = rounded(rounded(b.n * a.error) - rounded(a.n * b.error));
  const double n_ab = rounded(a.n * b.n);
  const double of_means = quotient(rounded(crossed + errors), n_ab);
  return rounded(rounded(of_means * of_means) * quotient(n_ab, rounded(a.n + b.n)));
}

}  // namespace tensortap::inline v0::detail
