#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/reduce/count.hpp>
#include "catch.hpp"
#include "expected.hpp"
#include "inputs.hpp"

namespace tt = tensortap;

namespace {

using expected::inf;

template <class T>
std::uint64_t naive(std::span<const T> elements, long double lower, long double upper) {
  std::uint64_t count = 0;
  for (const T element : elements) count += lower <= inputs::exact(element) && inputs::exact(element) <= upper;
  return count;
}

template <class T>
std::vector<T> elements(std::size_t n) {
  if constexpr (std::is_integral_v<T>)
    return inputs::anything<T>(n);
  else
    return inputs::bell<T>(n, 0.25);
}

/// Returns all 16-bit floats.
template <class T>
std::vector<T> all_of_16_bits() {
  std::vector<T> out(65536);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].bits = static_cast<std::uint16_t>(i);
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("counts agree with a comparison of each element", "[reduce][count]", tt::Half, tt::BFloat16, float,
                   double, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  const auto check = [](std::size_t n, std::size_t offset) {
    CAPTURE(n, offset);
    const auto x = elements<TestType>(n);
    const inputs::Misaligned copy(x, offset);
    const std::span<const TestType> all(x);
    std::vector<long double> ends = {0, 0.5L, -1, 100, -1e30L, 1e30L, static_cast<long double>(inf)};
    for (std::size_t i = 0; i < n; i += 1 + n / 3) ends.push_back(inputs::exact(x[i]));
    for (const long double a : ends) {
      REQUIRE(tt::count_at_most(copy.view(), a) == naive(all, static_cast<long double>(-inf), a));
      for (const long double b : ends) REQUIRE(tt::count_between(copy.view(), a, b) == naive(all, a, b));
    }
  };
  for (std::size_t n = 0; n <= 100; ++n) check(n, 0);
  for (const std::size_t n : {4095u, 4096u, 4097u, 8200u}) check(n, n % 2);
  for (std::size_t offset = 0; offset < 64; ++offset) check(50, offset);
}

TEST_CASE("counting does not overflow lanes of bytes", "[reduce][count]") {
  CHECK(tt::count_at_most(std::vector<std::int8_t>(70000, -3), 0) == 70000);
  CHECK(tt::count_at_most(std::vector<float>(70000), 0) == 70000);
  CHECK(tt::count_between(std::vector<tt::Half>(70000), 0, 0) == 70000);
}

TEMPLATE_TEST_CASE("every 16-bit float is counted with ends on it and beside it", "[reduce][count]", tt::Half,
                   tt::BFloat16) {
  const auto x = all_of_16_bits<TestType>();
  for (const std::size_t i : {0x0000u, 0x0001u, 0x0002u, 0x03ffu, 0x0400u, 0x3c00u, 0x3c01u, 0x7bffu, 0x7c00u, 0x7f7fu,
                              0x7f80u, 0x8000u, 0x8001u, 0xbc00u, 0xfbffu, 0xfc00u, 0xff80u}) {
    const long double on = inputs::exact(x[i]);
    if (std::isnan(on)) continue;
    for (const long double end : {on, on * (1 + 0x1p-60L), on * (1 - 0x1p-60L), on + 0x1p-400L, on - 0x1p-400L}) {
      CAPTURE(i, end);
      REQUIRE(tt::count_at_most(x, end) == naive(std::span<const TestType>(x), static_cast<long double>(-inf), end));
      REQUIRE(tt::count_between(x, end, inf) ==
              naive(std::span<const TestType>(x), end, static_cast<long double>(inf)));
      REQUIRE(tt::count_between(x, end, end) == naive(std::span<const TestType>(x), end, end));
    }
  }
}

TEST_CASE("integers beyond 2^53 are compared exactly", "[reduce][count]") {
  constexpr std::int64_t big = std::int64_t{1} << 53;
  const std::vector<std::int64_t> x = {big, big + 1, big + 2, -big, -big - 1, INT64_MIN, INT64_MAX, INT64_MAX - 1};
  CHECK(tt::count_between(x, big, big) == 1);
  CHECK(tt::count_between(x, big + 1, big + 1) == 1);
  CHECK(tt::count_at_most(x, -big - 1) == 2);
  CHECK(tt::count_at_most(x, INT64_MAX - 1) == 7);
  CHECK(tt::count_at_most(x, INT64_MIN) == 1);
  CHECK(tt::count_between(x, INT64_MAX, UINT64_MAX) == 1);
  CHECK(tt::count_between(x, 0x1p63, inf) == 0);
  CHECK(tt::count_at_most(x, 0x1p53) == 4);
  CHECK(tt::count_at_most(x, std::nextafter(-0x1p63, -inf)) == 0);
  const std::vector<std::uint64_t> y = {UINT64_MAX, UINT64_MAX - 1, 0, std::uint64_t{1} << 63};
  CHECK(tt::count_at_most(y, UINT64_MAX - 1) == 3);
  CHECK(tt::count_between(y, UINT64_MAX, UINT64_MAX) == 1);
  CHECK(tt::count_at_most(y, -1) == 0);
  CHECK(tt::count_at_most(y, 0x1p64) == 4);
  const std::vector<double> z = {0x1p53, 0x1p53 + 2};
  CHECK(tt::count_at_most(z, big + 1) == 1);
  CHECK(tt::count_between(z, big + 1, big + 2) == 1);
}

TEST_CASE("an interval between two integers contains neither", "[reduce][count]") {
  const std::vector<int> x = {-1, 0, 1};
  CHECK(tt::count_between(x, 0.25, 0.75) == 0);
  CHECK(tt::count_between(x, -0.5, 0.5) == 1);
  CHECK(tt::count_at_most(x, -0.5) == 1);
}

TEST_CASE("ends are not rounded to the type of the elements", "[reduce][count]") {
  const std::vector<float> x = {0.1F};  // above 0.1
  CHECK(tt::count_at_most(x, 0.1) == 0);
  CHECK(tt::count_between(x, 0.1, 1) == 1);
  CHECK(tt::count_at_most(std::vector<float>{std::numeric_limits<float>::max()}, 1e39) == 1);
  CHECK(tt::count_at_most(std::vector<float>{INFINITY}, 1e39) == 0);
  CHECK(tt::count_between(std::vector<float>{INFINITY}, 1e39, inf) == 1);
}

TEMPLATE_TEST_CASE("NaN is in no interval, and infinities are counted like other elements", "[reduce][count]", float,
                   double, tt::Half, tt::BFloat16) {
  std::vector<TestType> x;
  for (const float e : {NAN, -NAN, INFINITY, -INFINITY, 0.0F, -0.0F, 1.0F}) x.push_back(inputs::element<TestType>(e));
  CHECK(tt::count_at_most(x, 0) == 3);
  CHECK(tt::count_at_most(x, inf) == 5);
  CHECK(tt::count_at_most(x, -inf) == 1);
  CHECK(tt::count_between(x, -inf, inf) == 5);
  CHECK(tt::count_between(x, inf, inf) == 1);
  CHECK(tt::count_between(x, 0.0, 0.0) == 2);
  CHECK(tt::count_between(x, -0.0, -0.0) == 2);
  CHECK(tt::count_between(x, -1e30, 1e30) == 3);
  CHECK(tt::count_between(x, NAN, inf) == 0);
  CHECK(tt::count_between(x, -inf, NAN) == 0);
  CHECK(tt::count_at_most(std::vector<int>{0, 1}, NAN) == 0);
  CHECK(tt::count_between(x, 1, 0) == 0);
}

TEST_CASE("subnormals are not zero", "[reduce][count]") {
  const std::vector<float> x = {0x1p-149F, -0x1p-149F, 0x1p-127F, 0, -0.0F};
  CHECK(tt::count_at_most(x, 0) == 3);
  CHECK(tt::count_between(x, 0, 0) == 2);
  CHECK(tt::count_between(x, 0x1p-149, 1) == 2);
  CHECK(tt::count_between(x, 0x1p-200, 1) == 2);
  CHECK(tt::count_between(std::vector<double>{0x1p-1074, 0}, 0x1p-1074, 1) == 1);
}

TEST_CASE("counting bools reads any byte but 0 as true", "[reduce][count]") {
  const std::array<std::uint8_t, 20> bytes = {0, 1, 1, 0, 2, 255};
  const std::int64_t extent = 20;
  const tt::TensorView view(bytes.data(), tt::DType::boolean, {&extent, 1});
  CHECK(tt::count_at_most(view, 0) == 16);
  CHECK(tt::count_between(view, 1, 1) == 4);
  CHECK(tt::count_between(view, 2, 255) == 0);
}

TEST_CASE("counts of strided views and scalars", "[reduce][count]") {
  const auto memory = inputs::bell<float>(30000);
  const std::array<std::int64_t, 2> shape = {100, 150};
  const std::array<std::int64_t, 2> strides = {-1, 200};
  const tt::TensorView view(memory.data() + 99, tt::DType::f32, shape, strides);
  std::vector<float> copy(view.size());
  tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
  CHECK(tt::count_between(view, -0.5, 1) == naive(std::span<const float>(copy), -0.5, 1));
  CHECK(tt::count_at_most(2.5, 2.5) == 1);
  CHECK(tt::count_at_most(2.5, 2) == 0);
}

TEST_CASE("counting throws for strings and complex numbers", "[reduce][count]") {
  CHECK_THROWS_WITH(tt::count_at_most(std::string("x"), 0), contains("str"));
  CHECK_THROWS_AS(tt::count_between(std::vector<std::complex<float>>(2), 0, 1), tt::Error);
}

#if defined(__x86_64__)
TEST_CASE("counts do not depend on a mode that flushes subnormals", "[reduce][count]") {
  const std::vector<float> x = {0x1p-149F, 0x1p-130F, 0};
  std::uint32_t before = 0;
  asm volatile("stmxcsr %0" : "=m"(before));
  const std::uint32_t flushing = before | 0x8040;
  asm volatile("ldmxcsr %0" ::"m"(flushing) : "memory");
  const auto positive = tt::count_between(x, 0x1p-149, 1);
  const auto larger = tt::count_between(x, 0x1p-130, 1);
  asm volatile("ldmxcsr %0" ::"m"(before) : "memory");
  CHECK(positive == 2);
  CHECK(larger == 1);
}
#endif

// The same with g++ 12 and clang 14, at -O0, -O2, -O3 -march=native, -O3 -ffast-math and -Ofast -march=native.
TEST_CASE("counts are those of the first release", "[reduce][count][bits]") {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](const auto& x) {
    for (const double end : {-1e20, -1.0, -0.1, 0.0, 1e-30, 0.5, 3.0, 70000.0}) {
      hash = (hash ^ tt::count_at_most(x, end)) * 0x100000001b3u;
      hash =
          (hash ^ tt::count_between(x, end, tt::detail::number_of(tt::detail::infinity_bits<double>))) * 0x100000001b3u;
    }
  };
  add(all_of_16_bits<tt::Half>());
  add(all_of_16_bits<tt::BFloat16>());
  std::vector<float> floats(20001);
  std::vector<double> doubles(20001);
  inputs::Random random(3);
  for (float& x : floats) x = std::bit_cast<float>(tt::detail::rounded(static_cast<std::uint32_t>(random.bits() >> 9)));
  for (double& x : doubles) x = std::bit_cast<double>(tt::detail::rounded(random.bits()));
  add(floats);
  add(doubles);
  add(inputs::anything<std::int8_t>(5000));
  add(inputs::anything<std::uint64_t>(5000));
  CHECK(hash == 0x539944ae3afd8b32);
}
