#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <tensortap/tensor/dtype.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using tt::BFloat16;
using tt::DType;
using tt::Half;

namespace {

/// Returns the value of a 16-bit float with `exponent_bits`, by the definition of the format.
double by_definition(std::uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = std::ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
  const double sign = bits >> 15 == 0 ? 1 : -1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias);
  return sign * std::ldexp(1 + fraction, exponent - bias);
}

template <class T>
void check_all_patterns(int exponent_bits) {
  for (std::uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const T value = T::from_bits(static_cast<std::uint16_t>(pattern));
    const auto as_float = static_cast<float>(value);
    const double meant = by_definition(value.bits, exponent_bits);
    if (std::isnan(meant)) {
      REQUIRE(std::isnan(as_float));
      REQUIRE(std::isnan(static_cast<float>(T(as_float))));
      continue;
    }
    REQUIRE(static_cast<double>(as_float) == meant);
    REQUIRE(std::signbit(as_float) == (pattern >> 15 != 0));
    REQUIRE(T(as_float).bits == pattern);
  }
}

/// Checks rounding around the middle of every two neighbours of one sign: to nearest, and to even in the middle.
template <class T>
void check_rounding(std::uint16_t infinity) {
  for (std::uint16_t pattern = 0; pattern + 1 < infinity; ++pattern) {
    const T low = T::from_bits(pattern);
    const T high = T::from_bits(static_cast<std::uint16_t>(pattern + 1));
    const float middle = (static_cast<float>(low) + static_cast<float>(high)) / 2;
    const T even = pattern % 2 == 0 ? low : high;
    REQUIRE(T(middle).bits == even.bits);
    REQUIRE(T(std::nextafter(middle, -INFINITY)).bits == low.bits);
    REQUIRE(T(std::nextafter(middle, INFINITY)).bits == high.bits);
    REQUIRE(T(-middle).bits == (even.bits | 0x8000));
    REQUIRE(T(-std::nextafter(middle, INFINITY)).bits == (high.bits | 0x8000));
  }
}

}  // namespace

TEST_CASE("every bit pattern of a half has its IEEE 754 value and converts back", "[tensor][dtype]") {
  check_all_patterns<Half>(5);
}

TEST_CASE("every bit pattern of a bfloat16 has its float value and converts back", "[tensor][dtype]") {
  check_all_patterns<BFloat16>(8);
}

TEST_CASE("halves round to nearest, ties to even", "[tensor][dtype]") {
  check_rounding<Half>(0x7c00);
  CHECK(Half(65519.996F).bits == 0x7bff);
  CHECK(Half(65520.0F).bits == 0x7c00);
  CHECK(Half(std::numeric_limits<float>::max()).bits == 0x7c00);
  CHECK(Half(-std::numeric_limits<float>::max()).bits == 0xfc00);
  CHECK(Half(INFINITY).bits == 0x7c00);
  CHECK(Half(-INFINITY).bits == 0xfc00);
  CHECK(Half(std::numeric_limits<float>::denorm_min()).bits == 0);
  CHECK(Half(-0.0F).bits == 0x8000);
  CHECK(Half(0x1p-25F).bits == 0);
  CHECK(Half(0x1.000002p-25F).bits == 1);
}

TEST_CASE("bfloat16s round to nearest, ties to even", "[tensor][dtype]") {
  for (std::uint16_t pattern = 0x0080; pattern + 1 < 0x7f80;
       ++pattern) {  // float has the bits below, also for subnormals
    const std::uint32_t exact = static_cast<std::uint32_t>(pattern) << 16;
    REQUIRE(BFloat16(std::bit_cast<float>(exact | 0x7fff)).bits == pattern);
    REQUIRE(BFloat16(std::bit_cast<float>(exact | 0x8000)).bits == pattern + pattern % 2);
    REQUIRE(BFloat16(std::bit_cast<float>(exact | 0x8001)).bits == pattern + 1);
  }
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(BFloat16(-INFINITY).bits == 0xff80);
  CHECK(BFloat16(std::bit_cast<float>(0x7f800001u)).bits == 0x7fc0);  // a NaN whose upper half is infinity's
}

TEMPLATE_TEST_CASE("16-bit floats convert the value of every number type, with one rounding", "[tensor][dtype]", Half,
                   BFloat16) {
  const auto value = [](auto number) { return static_cast<double>(TestType(number)); };
  const std::vector<float> floats = {1.5F, 600, 0.25F};
  const std::vector<TestType> converted(floats.begin(), floats.end());
  CHECK(std::vector<float>(converted.begin(), converted.end()) == floats);
  CHECK(value(1.5F) == 1.5);
  CHECK(value(2.5) == 2.5);
  CHECK(value(-3) == -3);
  CHECK(value(true) == 1);
  CHECK(value(std::int64_t{-64}) == -64);
  CHECK(value(std::uint8_t{200}) == 200);
  CHECK(TestType::from_bits(0x3f80).bits == 0x3f80);
  CHECK(TestType().bits == 0);

  // Just above the middle of two neighbours, by less than a float can tell.
  const double step = static_cast<double>(TestType::from_bits(static_cast<std::uint16_t>(TestType(1).bits + 1))) - 1;
  CHECK(value(1 + step / 2) == 1);
  CHECK(value(1 + step / 2 + 0x1p-50) == 1 + step);
  CHECK(value(-1 - step / 2 - 0x1p-50) == -1 - step);
  CHECK(value(1 + 3 * step / 2 - 0x1p-50) == 1 + step);
  CHECK(value(0x1p-1070) == 0);
  CHECK(std::isinf(value(1e300)));
  CHECK(std::isinf(value(-INFINITY)));
  CHECK(std::isnan(value(std::numeric_limits<double>::quiet_NaN())));
  CHECK(std::signbit(value(-0.0)));
}

TEST_CASE("64-bit integers become bfloat16s with one rounding", "[tensor][dtype]") {
  constexpr std::uint64_t one = std::uint64_t{1} << 63;
  constexpr std::uint64_t half_step = one >> 8;
  CHECK(BFloat16(one + half_step).bits == BFloat16(one).bits);
  CHECK(BFloat16(one + half_step + 1).bits == BFloat16(one).bits + 1);
  CHECK(BFloat16(std::numeric_limits<std::int64_t>::min()).bits == BFloat16(-0x1p63).bits);
  CHECK(BFloat16(-static_cast<std::int64_t>((one + half_step) / 2) - 1).bits == BFloat16(-0x1p62).bits + 1);
}

TEST_CASE("C++ types and element types", "[tensor][dtype]") {
  STATIC_REQUIRE(tt::dtype_v<float> == DType::f32);
  STATIC_REQUIRE(tt::dtype_v<double> == DType::f64);
  STATIC_REQUIRE(tt::dtype_v<Half> == DType::f16);
  STATIC_REQUIRE(tt::dtype_v<BFloat16> == DType::bf16);
  STATIC_REQUIRE(tt::dtype_v<bool> == DType::boolean);
  STATIC_REQUIRE(tt::dtype_v<signed char> == DType::i8);
  STATIC_REQUIRE(tt::dtype_v<unsigned char> == DType::u8);
  STATIC_REQUIRE(tt::dtype_v<short> == DType::i16);
  STATIC_REQUIRE(tt::dtype_v<unsigned> == DType::u32);
  STATIC_REQUIRE(tt::dtype_v<long long> == DType::i64);
  STATIC_REQUIRE(tt::dtype_v<long> == (sizeof(long) == 8 ? DType::i64 : DType::i32));
  STATIC_REQUIRE(tt::dtype_v<unsigned long long> == DType::u64);
  STATIC_REQUIRE(tt::dtype_v<std::complex<float>> == DType::complex64);
  STATIC_REQUIRE(tt::dtype_v<std::complex<double>> == DType::complex128);
  STATIC_REQUIRE_FALSE(tt::dtype_v<long double>);
  STATIC_REQUIRE_FALSE(tt::dtype_v<std::string>);
  STATIC_REQUIRE_FALSE(tt::dtype_v<int*>);
  STATIC_REQUIRE(tt::Element<const float>);
  STATIC_REQUIRE_FALSE(tt::Element<std::byte>);
#if defined(__FLT16_MANT_DIG__) && defined(__SSE2__) && !defined(__clang__)
  STATIC_REQUIRE(tt::dtype_v<_Float16> == DType::f16);
#endif
}

TEST_CASE("visit_dtype calls with the C++ type; sizes and names agree with numpy", "[tensor][dtype]") {
  const char* names[] = {"float16", "bfloat16", "float32", "float64", "int8", "int16",     "int32",      "int64",
                         "uint8",   "uint16",   "uint32",  "uint64",  "bool", "complex64", "complex128", "str"};
  for (std::size_t i = 0; i < tt::dtype_count; ++i) {
    const auto dtype = static_cast<DType>(i);
    CAPTURE(i);
    CHECK(to_string(dtype) == names[i]);
    CHECK(tt::is_floating(dtype) == (std::string(names[i]).find("float") != std::string::npos));
    CHECK(tt::is_real(dtype) == (i < 13));
    if (dtype == DType::string) {
      CHECK(tt::size_of(dtype) == 0);
      continue;
    }
    tt::visit_dtype(dtype, [&]<class T>() {
      CHECK(tt::dtype_v<T> == dtype);
      CHECK(tt::size_of(dtype) == sizeof(T));
    });
  }
}
