// Floating-point arithmetic that no compiler flag changes: values that are rounded exactly once, numbers by their bits,
// and sums whose rounding errors are known.
//
//   const double sum = rounded(a + b);           // not fused, not reordered, also under -ffast-math
//   const auto [value, error] = two_sum(1e16, 1.0);   // 1e16, 1
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Passes `value` through an empty asm statement. So the compiler must compute `value` here: it cannot fuse the
/// operation into an FMA, reorder it under -ffast-math, or assume a finite result. Emits no instruction.
template <class T>
[[gnu::always_inline]] inline void pin(T& value) noexcept {
  if constexpr (std::integral<T>) {
    asm("" : "+r"(value));
  } else {
#if defined(__x86_64__)
    asm("" : "+x"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#else
    asm("" : "+m"(value));
#endif
  }
}

/// Returns the value of an expression, rounded to its type and pinned.
template <class T>
[[gnu::always_inline]] inline T rounded(T value) noexcept {
  pin(value);
  return value;
}

/// Returns a / b. Pins the divisor: under -ffast-math, compilers multiply by the reciprocal of a known divisor.
[[gnu::always_inline]] inline double quotient(double a, double b) noexcept {
  pin(b);
  return rounded(a / b);
}

template <class Float>
using BitsOf = std::conditional_t<sizeof(Float) == 2, std::uint16_t,
                                  std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>>;

/// The bits of +infinity, which are also the mask of the exponent.
template <class Float>
inline constexpr BitsOf<Float> infinity_bits = static_cast<BitsOf<Float>>(sizeof(Float) == 4 ? 0x7f800000u
                                                                                             : 0x7ff0000000000000u);
template <class Float>
inline constexpr BitsOf<Float> sign_bit = static_cast<BitsOf<Float>>(BitsOf<Float>{1} << (8 * sizeof(Float) - 1));

/// The bits of the one NaN that the library produces.
inline constexpr std::uint64_t nan_bits = 0x7ff8000000000000u;

/// Returns the bits of a float, hidden from a compiler that assumes all floats to be finite.
template <std::floating_point Float>
[[gnu::always_inline]] inline BitsOf<Float> bits_of(const Float& value) noexcept {
  return rounded(std::bit_cast<BitsOf<Float>>(value));
}

/// Returns the number with these bits. Hides them from the compiler, so that NaN and infinities survive -ffast-math.
[[gnu::always_inline]] inline double number_of(std::uint64_t bits) noexcept {
  return std::bit_cast<double>(rounded(bits));
}

template <std::floating_point Float>
[[gnu::always_inline]] inline bool is_finite(const Float& value) noexcept {
  return (bits_of(value) & infinity_bits<Float>) != infinity_bits<Float>;
}

/// A rounded result and its exact rounding error.
struct WithError {
  double value, error;
};

/// Returns a + b (Knuth, TAOCP 4.2.2, theorem B). The error is 0 after an overflow.
inline WithError two_sum(double a, double b) noexcept {
  const double sum = rounded(a + b);
  const double b_part = rounded(sum - a);
  const double a_part = rounded(sum - b_part);
  const double error = rounded(rounded(a - a_part) + rounded(b - b_part));
  return {sum, is_finite(sum) ? error : 0};
}

/// Returns a * b (Dekker, "A floating-point technique for extending the available precision", 1971). NaN above 1e300.
/// Does not use std::fma, because clang splits it into a product and a sum under -ffast-math.
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

/// Returns the squared deviations that a merge of `a` and `b` adds: those of the two means from the common mean.
/// Subtracts the means before it rounds them: the other order would cost 1e-10 of the variance at a mean of 1e6 std.
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
