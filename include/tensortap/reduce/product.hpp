// The product of all elements as mantissa and exponent, so that it overflows or underflows only if its value does. The
// mantissas are multiplied in the tree of lanes.hpp, each product rounded to float64; the exponents are added as
// integers. A pass of its own, made only for who asks for `prod`. Not for user code.
//
//   const double value = tensortap::detail::product_of(view).value();
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/reduce/blocks.hpp>
#include <tensortap/reduce/lanes.hpp>

namespace tensortap::inline v0::detail {

/// mantissa * 2^exponent, times 0 or infinity if there are any among the factors. The mantissa has their sign.
struct Product {
  double mantissa = 1;  ///< its magnitude is in [1, 2)
  std::int64_t exponent = 0;
  bool nan = false;
  bool infinite = false;
  bool zero = false;

  /// Moves the exponent of the mantissa to where exponents are added.
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

  /// As float64, rounded once more if it is subnormal. NaN if a factor was, and for infinity times 0. `absolute`: its
  /// magnitude.
  [[nodiscard]] double value(bool absolute = false) const noexcept {
    const std::uint64_t sign = absolute ? 0 : bits_of(mantissa) & sign_bit<double>;
    if (nan || (infinite && zero)) return number_of(nan_bits);
    if (infinite) return number_of(infinity_bits<double> | sign);
    if (zero) return number_of(sign);
    const double magnitude = std::bit_cast<double>(bits_of(mantissa) & ~sign_bit<double>);
    const double scaled = std::ldexp(magnitude, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000)));
    return number_of(bits_of(scaled) | sign);
  }
};

/// One factor of any kind. Zeros and infinities leave the mantissa 1 or -1.
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

/// The product of one block. Mantissas of 256 rows multiplied in a row stay below 2^256.
template <class In>
Product block_product(const Block& block) noexcept {
  constexpr std::size_t row_bytes = lane_count * sizeof(In);
  alignas(16) double mantissa[lane_count];
  alignas(16) std::int64_t exponent[lane_count];
  const std::size_t rows = block.count / lane_count;
  I32x4 odd{};
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    F64x2 mantissa_low = {1, 1}, mantissa_high = {1, 1};
    I64x2 exponent_low{}, exponent_high{};
    const auto multiply = [&](F64x2 x, F64x2& product, I64x2& sum) {
      const I64x2 bits = std::bit_cast<I64x2>(x);
      const I64x2 biased = (bits >> 52) & 0x7ff;
      const F64x2 factor_mantissa = std::bit_cast<F64x2>((bits & ~0x7ff0000000000000) | 0x3ff0000000000000);
      product = rounded(product * factor_mantissa);
      sum += biased;
      // 0 for zeros and subnormals, 0x800 for NaN and infinities; the others have a bit among 0x7fe.
      odd |= (std::bit_cast<I32x4>(biased + 1) & 0x7fe) == 0;
    };
    const std::byte* from = block.elements + quarter * row_bytes / 4;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r, from += row_bytes) {
      const Four<In> x = Four<In>::at(from);
      multiply(x.low(), mantissa_low, exponent_low);
      multiply(x.high(), mantissa_high, exponent_high);
    }
    std::memcpy(mantissa + 4 * quarter, &mantissa_low, 16);
    std::memcpy(mantissa + 4 * quarter + 2, &mantissa_high, 16);
    std::memcpy(exponent + 4 * quarter, &exponent_low, 16);
    std::memcpy(exponent + 4 * quarter + 2, &exponent_high, 16);
  }

  Product lane[lane_count];
  std::size_t done = 0;
  if (odd[0] == 0 && odd[2] == 0) {  // the upper halves of 64-bit elements are always "odd"
    for (std::size_t j = 0; j < lane_count; ++j) {
      lane[j].mantissa = mantissa[j];
      lane[j].exponent = exponent[j] - 1023 * static_cast<std::int64_t>(rows);
    }
    done = rows * lane_count;
  }
  for (std::size_t i = done; i < block.count; ++i)
    lane[i % lane_count] *= factor(static_cast<double>(load<In>(block.elements + i * sizeof(In))));
  for (Product& product : lane) product.normalise();
  Product product = fold_lanes(lane, lane_count, [](Product a, const Product& b) {
    a *= b;
    return a;
  });
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

/// The product of a tensor of real numbers. Empty: 1. The caller sets the `IeeeMode`.
inline Product product_of(const TensorView& view) {
  Product product;
  if (view.size() == 0) return product;
  fits_float(view.dtype()) ? read_product<float>(view, product) : read_product<double>(view, product);
  return product;
}

}  // namespace tensortap::inline v0::detail
