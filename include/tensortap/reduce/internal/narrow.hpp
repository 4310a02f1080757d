// From float64 to the floating type of a tensor, rounded once, to nearest; also where -ffast-math makes the compiler
// believe that there is neither NaN nor infinity. Not for user code.
//
//   const std::uint64_t half = tensortap::detail::narrowed(1.0 / 3, tensortap::DType::f16);   // 0x3555
#pragma once

#include <bit>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// `value` as float, rounded towards zero and, unless it is exact, with its last bit set. Rounding that to fewer bits
/// gives what rounding `value` would.
/// Source: Boldo, Melquiond, "When double rounding is odd", 2005.
inline float rounded_to_odd(double value) noexcept {
  const float nearest = rounded(static_cast<float>(value));
  std::uint32_t bits = bits_of(nearest);
  const double back = is_finite(nearest) ? rounded(static_cast<double>(nearest)) : 0;
  if (is_finite(nearest) && back == value) return nearest;
  const bool away = !is_finite(nearest) || (value < 0 ? back < value : back > value);
  if (away) --bits;
  return std::bit_cast<float>(bits | 1);
}

/// The bits of `value` as f16, bf16, f32 or f64, in the low end.
inline std::uint64_t narrowed(double value, DType dtype) noexcept {
  const std::uint64_t bits = bits_of(value);
  const std::uint64_t sign = bits >> 63;
  if (!is_finite(value)) {
    const bool nan = (bits & ~sign_bit<double>) != infinity_bits<double>;
    switch (dtype) {
      case DType::f16: return nan ? 0x7e00u : 0x7c00u | sign << 15;
      case DType::bf16: return nan ? 0x7fc0u : 0x7f80u | sign << 15;
      case DType::f32: return nan ? 0x7fc00000u : 0x7f800000u | sign << 31;
      default: return nan ? nan_bits : bits;
    }
  }
  switch (dtype) {
    case DType::f16: return Half::from(rounded_to_odd(value)).bits;
    case DType::bf16: return BFloat16::from(rounded_to_odd(value)).bits;
    case DType::f32: return bits_of(rounded(static_cast<float>(value)));
    default: return bits;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
