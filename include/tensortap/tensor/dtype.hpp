// Element types. `DType` is the run-time tag, `dtype_v<T>` is the tag of a C++ type, and `visit_dtype` calls a template
// with the C++ type of a tag.
//
//   static_assert(tensortap::dtype_v<float> == tensortap::DType::f32);
//   std::size_t bytes = tensortap::size_of(tensortap::DType::bf16);     // 2
#pragma once

#include <array>
#include <bit>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The type of a tensor's elements.
enum class DType : std::uint8_t {
  f16,
  bf16,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  complex64,
  complex128,
  string
};

/// The number of element types.
inline constexpr std::size_t dtype_count = 16;

/// Returns the size of one element; 0 for strings, whose sizes differ. Units: bytes.
constexpr std::size_t size_of(DType dtype) noexcept {
  constexpr std::array<std::uint8_t, dtype_count> sizes = {2, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 8, 16, 0};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// Returns numpy's name of the type: "float32", "int64", "bool", "str" …
constexpr std::string_view to_string(DType dtype) noexcept {
  constexpr std::array<std::string_view, dtype_count> names = {
      "float16", "bfloat16", "float32", "float64", "int8", "int16",     "int32",      "int64",
      "uint8",   "uint16",   "uint32",  "uint64",  "bool", "complex64", "complex128", "str"};
  return names[static_cast<std::size_t>(dtype)];
}

/// Returns whether `dtype` is f16, bf16, f32 or f64.
constexpr bool is_floating(DType dtype) noexcept { return dtype <= DType::f64; }

/// Returns whether tensors of this type can be reduced: all but strings and complex numbers.
constexpr bool is_real(DType dtype) noexcept { return dtype < DType::complex64; }

namespace detail {

/// A binary format of IEEE 754: the widths of its exponent and its fraction. Units: bits.
struct FloatFormat {
  int exponent;
  int fraction;
};

/// Returns the number `bits` of the format `from` in the narrower format `to`, rounded once to nearest, ties to even. A
/// NaN becomes quiet. Integers only, so that neither -ffast-math nor a flush to zero changes it.
constexpr std::uint64_t narrowed(std::uint64_t bits, FloatFormat from, FloatFormat to) noexcept {
  const std::uint64_t one = 1;
  const std::uint64_t sign = bits >> (from.exponent + from.fraction) << (to.exponent + to.fraction);
  const std::uint64_t infinity = ((one << to.exponent) - 1) << to.fraction;
  const std::uint64_t field = (bits >> from.fraction) & ((one << from.exponent) - 1);
  std::uint64_t significand = bits & ((one << from.fraction) - 1);
  int shift = from.fraction - to.fraction;
  if (field == (one << from.exponent) - 1)  // infinity or NaN
    return sign | infinity | (significand == 0 ? 0 : significand >> shift | one << (to.fraction - 1));
  if (field != 0) significand |= one << from.fraction;
  const int exponent = static_cast<int>(field == 0 ? 1 : field) - (1 << (from.exponent - 1)) + (1 << (to.exponent - 1));
  if (exponent < 1) shift += 1 - exponent;  // subnormal
  if (shift > from.fraction + 2) return sign;
  const std::uint64_t rounded = (significand + (one << (shift - 1)) - 1 + (significand >> shift & 1)) >> shift;
  const std::uint64_t magnitude =
      exponent < 1 ? rounded : (static_cast<std::uint64_t>(exponent - 1) << to.fraction) + rounded;
  return sign | (magnitude < infinity ? magnitude : infinity);
}

/// Returns the bits of `value` in the format `to`, rounded once.
template <class T>
constexpr std::uint16_t narrowed(T value, FloatFormat to) noexcept {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8, "tensortap: convert this type to double first");
  if constexpr (std::same_as<T, float>) {
    return static_cast<std::uint16_t>(narrowed(std::bit_cast<std::uint32_t>(value), {8, 23}, to));
  } else if constexpr (std::floating_point<T>) {
    return static_cast<std::uint16_t>(narrowed(std::bit_cast<std::uint64_t>(value), {11, 52}, to));
  } else {
    auto magnitude = static_cast<std::uint64_t>(value);
    const bool negative = value < T{};
    if (negative) magnitude = 0 - magnitude;
    // A double holds 53 bits: the lowest 11 of 64 are reduced to one that says whether they were 0.
    if (magnitude >> 53 != 0) magnitude = (magnitude & ~0x7ffULL) | (magnitude % 0x800 != 0 ? 0x800 : 0);
    const auto exact = static_cast<double>(magnitude);
    return narrowed(negative ? -exact : exact, to);
  }
}

}  // namespace detail

/// An IEEE 754 binary16 number, for compilers without the type.
struct Half {
  std::uint16_t bits = 0;

  Half() = default;

  /// Converts the value of any number, with rounding to nearest, ties to even.
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit constexpr Half(T value) noexcept : bits(detail::narrowed(value, {5, 10})) {}

  /// Converts a float, as the constructor does.
  static constexpr Half from(float value) noexcept { return Half(value); }

  /// Makes the number that has these bits.
  static constexpr Half from_bits(std::uint16_t bits) noexcept {
    Half out;
    out.bits = bits;
    return out;
  }

  /// Converts exactly.
  template <std::floating_point T>
  explicit constexpr operator T() const noexcept {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
      const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    const std::uint32_t wide = exponent == 0x1f ? 0xffu : exponent + 112;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};

/// A bfloat16 number: the upper half of a float.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;

  /// Converts the value of any number, with rounding to nearest, ties to even.
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit constexpr BFloat16(T value) noexcept : bits(detail::narrowed(value, {8, 7})) {}

  /// Converts a float, as the constructor does.
  static constexpr BFloat16 from(float value) noexcept { return BFloat16(value); }

  /// Makes the number that has these bits.
  static constexpr BFloat16 from_bits(std::uint16_t bits) noexcept {
    BFloat16 out;
    out.bits = bits;
    return out;
  }

  /// Converts exactly.
  template <std::floating_point T>
  explicit constexpr operator T() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

namespace detail {

template <class T>
constexpr std::optional<DType> dtype_of() noexcept {
  if constexpr (std::same_as<T, bool>) {
    return DType::boolean;
  } else if constexpr (std::integral<T>) {
    constexpr std::array<DType, 4> with_sign = {DType::i8, DType::i16, DType::i32, DType::i64};
    constexpr std::array<DType, 4> without_sign = {DType::u8, DType::u16, DType::u32, DType::u64};
    constexpr auto log2_size = static_cast<std::size_t>(std::countr_zero(sizeof(T)));
    if constexpr (log2_size < 4) return std::signed_integral<T> ? with_sign[log2_size] : without_sign[log2_size];
  } else if constexpr (std::same_as<T, float>) {
    return DType::f32;
  } else if constexpr (std::same_as<T, double>) {
    return DType::f64;
  } else if constexpr (std::same_as<T, Half>) {
    return DType::f16;
  } else if constexpr (std::same_as<T, BFloat16>) {
    return DType::bf16;
  } else if constexpr (std::same_as<T, std::complex<float>>) {
    return DType::complex64;
  } else if constexpr (std::same_as<T, std::complex<double>>) {
    return DType::complex128;
  }
#if defined(__FLT16_MANT_DIG__) && !defined(__clang__) && (defined(__SSE2__) || __GNUC__ >= 13)  // g++ 12: x86 only
  else if constexpr (std::same_as<T, _Float16>) {
    return DType::f16;
  }
#endif
  return std::nullopt;
}

}  // namespace detail

/// The element type of the C++ type T; nullopt if there is none. Specialise it for a 16-bit float type of your own:
/// `template <> inline constexpr std::optional<DType> tensortap::dtype_v<my::half> = DType::f16;`
template <class T>
inline constexpr std::optional<DType> dtype_v = detail::dtype_of<T>();

/// A type of elements of a tensor.
template <class T>
concept Element = dtype_v<std::remove_cv_t<T>>
.has_value();

/// Calls `f.template operator()<T>()` with the C++ type of `dtype`: `Half` and `BFloat16` for the 16-bit floats.
/// `dtype` must not be string.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f16: return f.template operator()<Half>();
    case DType::bf16: return f.template operator()<BFloat16>();
    case DType::f32: return f.template operator()<float>();
    case DType::i8: return f.template operator()<std::int8_t>();
    case DType::i16: return f.template operator()<std::int16_t>();
    case DType::i32: return f.template operator()<std::int32_t>();
    case DType::i64: return f.template operator()<std::int64_t>();
    case DType::u8: return f.template operator()<std::uint8_t>();
    case DType::u16: return f.template operator()<std::uint16_t>();
    case DType::u32: return f.template operator()<std::uint32_t>();
    case DType::u64: return f.template operator()<std::uint64_t>();
    case DType::boolean: return f.template operator()<bool>();
    case DType::complex64: return f.template operator()<std::complex<float>>();
    case DType::complex128: return f.template operator()<std::complex<double>>();
    case DType::f64:
    case DType::string: break;
  }
  return f.template operator()<double>();
}

TENSORTAP_END_NAMESPACE
