// The product of all elements as mantissa and exponent, so that it overflows or underflows only if its value does. The
// mantissas are multiplied in the tree of lanes.hpp, each product rounded to float64; the exponents are added as
// integers. This takes a pass of its own, which only `prod` needs.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// mantissa * 2^exponent, times 0 and infinity if there are such factors. The mantissa has the sign of the product.
struct Product {
  double mantissa = 1;  ///< its magnitude is in [1, 2)
  std::int64_t exponent = 0;
  bool nan = false;
  bool infinite = false;
  bool zero = false;

  /// Moves the exponent of the mantissa to `exponent`.
  void normalise() noexcept {
    const std::uint64_t bits = bits_of(mantissa);
    exponent += static_cast<std::int64_t>((bits >> 52) & 0x7ff) - 1023;
    mantissa = std::bit_cast<double>((bits & ~infinity_bits<double>) | std::bit_cast<std::uint64_t>(1.0));
  }

  void operator*=(const Product& other) noexcept {
    mantissa = rounded(mantissa * other.mantissa);
    exponent += other.exponent;
    nan = nan || other.nan;
    infinite = infinite || other.infinite;
    zero = zero || other.zero;
  }

  /// Returns the product as float64, rounded once more if it is subnormal; its magnitude if `absolute`. NaN if a factor
  /// is NaN, and for infinity times 0.
  [[nodiscard]] double value(bool absolute = false) const noexcept {
    const std::uint64_t sign = absolute ? 0 : bits_of(mantissa) & sign_bit<double>;
    if (nan || (infinite && zero)) return number_of(nan_bits);
    if (infinite) return number_of(infinity_bits<double> | sign);
    if (zero) return number_of(sign);
    const auto magnitude = std::bit_cast<double>(bits_of(mantissa) & ~sign_bit<double>);
    const double scaled = std::ldexp(magnitude, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000)));
    return number_of(bits_of(scaled) | sign);
  }
};

/// Returns a number of any kind as a product. The mantissa of zeros and infinities is 1 or -1.
inline Product factor(double x) noexcept {
  std::uint64_t bits = bits_of(x);
  const std::uint64_t magnitude = bits & ~sign_bit<double>;
  if (magnitude > infinity_bits<double>) return {.nan = true};
  Product product{.infinite = magnitude == infinity_bits<double>, .zero = magnitude == 0};
  if (product.infinite || product.zero) {
    product.mantissa = std::bit_cast<double>(std::bit_cast<std::uint64_t>(1.0) | (bits & sign_bit<double>));
    return product;
  }
  product.mantissa = x;
  if (magnitude < std::uint64_t{1} << 52) {  // subnormal
    product.mantissa = rounded(x * 0x1p54);
    product.exponent = -54;
  }
  product.normalise();
  return product;
}

/// Returns the product of a block that does not hold normal numbers only.
template <class In>
[[gnu::noinline]] Product odd_block_product(const Block& block) noexcept {
  Product lane[lane_count];
  for (std::size_t i = 0; i < block.count; ++i)
    lane[i % lane_count] *= factor(static_cast<double>(load<In>(block.elements + i * sizeof(In))));
  for (Product& product : lane) product.normalise();
  Product product = fold_lanes(lane, lane_count, [](Product a, const Product& b) {
    a *= b;
    return a;
  });
  product.normalise();
  return product;
}

/// Returns the product of one block. The product of the mantissas of 128 rows is below 2^128.
template <class In>
Product block_product(const Block& block) noexcept {
  constexpr auto one = std::bit_cast<std::uint64_t>(1.0);
  const std::size_t rows = block.count / lane_count;
  LaneProducts lanes;
  kernels<In>().products(block.elements, rows, lanes);
  for (std::size_t j = 0; j < block.count % lane_count; ++j) {
    const auto x = static_cast<double>(load<In>(block.elements + (rows * lane_count + j) * sizeof(In)));
    const std::uint64_t biased = (bits_of(x) >> 52) & 0x7ff;
    lanes.odd = lanes.odd || biased == 0 || biased == 0x7ff;
    lanes.mantissa[j] = rounded(lanes.mantissa[j] * number_of((bits_of(x) & ~infinity_bits<double>) | one));
    lanes.exponent[j] += static_cast<std::int64_t>(biased);
  }
  if (lanes.odd) return odd_block_product<In>(block);

  Product product;
  product.exponent = -1023 * static_cast<std::int64_t>(block.count);
  for (std::size_t j = 0; j < lane_count; ++j) {
    const std::uint64_t bits = bits_of(lanes.mantissa[j]);
    product.exponent += lanes.exponent[j] + static_cast<std::int64_t>((bits >> 52) & 0x7ff) - 1023;
    lanes.mantissa[j] = number_of((bits & ~infinity_bits<double>) | one);
  }
  product.mantissa = fold_lanes(lanes.mantissa, lane_count, [](double a, double b) { return rounded(a * b); });
  product.normalise();
  return product;
}

template <class In>
[[gnu::noinline]] void read_product(const TensorView& view, Product& out) {
  BlockReader<In> reader(view);
  const auto leaf = [&](std::size_t i) { return block_product<In>(reader[i]); };
  out = pairwise(0, block_count(view), leaf, [](Product a, const Product& b) {
    a *= b;
    a.normalise();
    return a;
  });
}

/// Returns the product of a tensor of real numbers. Empty: 1. The caller sets the `IeeeMode`.
inline Product product_of(const TensorView& view) {
  Product product;
  if (view.size() == 0) return product;
  fits_float(view.dtype()) ? read_product<float>(view, product) : read_product<double>(view, product);
  return product;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
