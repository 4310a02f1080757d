#include <array>
#include <bit>
#include <cfenv>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/reduce/difference.hpp>
#include "catch.hpp"
#include "expected.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using tt::DType;

namespace {

using expected::error_of;
using expected::inf;
using expected::tree_sum;

/// Returns all fields of a difference, as bits.
std::array<std::uint64_t, 14> bits(const tt::Difference& d) {
  const auto of = [](double x) { return std::bit_cast<std::uint64_t>(x); };
  return {d.count,
          d.nan,
          d.infinite,
          d.close,
          d.first_non_finite.value_or(UINT64_MAX),
          d.max_index.value_or(UINT64_MAX),
          of(d.max_abs),
          of(d.squared_differences),
          of(d.x_squares),
          of(d.y_squares),
          of(d.products),
          of(d.l2()),
          of(d.relative()),
          of(d.cosine())};
}

/// Compares all fields but max_index with long double sums over the pairs of finite elements.
template <class T>
void check_against(const tt::Difference& d, const std::vector<T>& x, const std::vector<T>& y,
                   const tt::DifferenceOptions& options = {}) {
  using tt::detail::rounded;
  long double differences = 0, x_squares = 0, y_squares = 0, products = 0, magnitudes = 0;
  double max_abs = -1;
  std::uint64_t finite = 0, close = 0, index = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double a = inputs::exact(x[i]);
    const long double b = inputs::exact(y[i]);
    if (!std::isfinite(a) || !std::isfinite(b)) {
      close += a == b || (options.equal_nan && std::isnan(a) && std::isnan(b));
      continue;
    }
    ++finite;
    differences += (a - b) * (a - b);
    x_squares += a * a;
    y_squares += b * b;
    products += a * b;
    magnitudes += std::fabs(a * b);
    const double distance = std::fabs(static_cast<double>(a) - static_cast<double>(b));
    close += distance <= options.atol + rounded(options.rtol * std::fabs(static_cast<double>(b)));
    if (distance > max_abs) index = i;
    max_abs = std::max(max_abs, distance);
  }
  REQUIRE(d.count == x.size());
  REQUIRE(d.finite() == finite);
  REQUIRE(d.close == close);
  REQUIRE(error_of(d.squared_differences, differences) <= 1e-13);
  REQUIRE(error_of(d.x_squares, x_squares) <= 1e-13);
  REQUIRE(error_of(d.y_squares, y_squares) <= 1e-13);
  REQUIRE(std::fabs(static_cast<double>(static_cast<long double>(d.products) - products)) <=
          1e-13 * static_cast<double>(magnitudes));
  REQUIRE(error_of(d.l2(), std::sqrt(differences)) <= 1e-13);
  REQUIRE(d.max_index.has_value() == (finite > 0));
  if (finite == 0) {
    REQUIRE(std::isnan(d.max_abs));
    return;
  }
  REQUIRE(d.max_abs == max_abs);
  REQUIRE(*d.max_index == index);
  if (y_squares == 0 || x_squares == 0) return;
  REQUIRE(error_of(d.relative(), std::sqrt(differences / y_squares)) <= 1e-13);
  REQUIRE(std::fabs(d.cosine() - static_cast<double>(products / std::sqrt(x_squares * y_squares))) <= 1e-13);
}

/// Returns `x` after a small update that leaves some elements unchanged.
template <class T>
std::vector<T> updated(const std::vector<T>& x, double size, std::uint64_t seed = 7) {
  inputs::Random random(seed + x.size());
  std::vector<T> out = x;
  for (T& e : out) {
    const double step = tt::detail::rounded(size * random.bell());
    if (random.bits() % 3 != 0) e = inputs::element<T>(static_cast<double>(inputs::exact(e)) + step);
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("differences agree with long double sums at every size", "[reduce][difference]", float, double) {
  const auto check = [](std::size_t n) {
    CAPTURE(n);
    const auto y = inputs::bell<TestType>(n, 0.25);
    for (const double size : {1e-6, 0.5}) {
      const auto x = updated(y, size);
      check_against(tt::difference(x, y), x, y);
      check_against(tt::difference(x, y, {.rtol = 0.125, .atol = 0.01}), x, y, {.rtol = 0.125, .atol = 0.01});
    }
  };
  for (std::size_t n = 0; n <= 100; ++n) check(n);
  for (const std::size_t n : {4079u, 4095u, 4096u, 4097u, 4112u, 8191u, 8192u, 8193u, 12288u, 20001u}) check(n);
}

TEMPLATE_TEST_CASE("differences of every element type, at any address", "[reduce][difference]", tt::Half, tt::BFloat16,
                   float, double, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  for (const std::size_t n : {1u, 16u, 17u, 100u, 4096u, 5000u}) {
    CAPTURE(n);
    std::vector<TestType> x, y;
    if constexpr (std::is_integral_v<TestType>) {
      x = inputs::anything<TestType>(n, 1);
      y = inputs::anything<TestType>(n, 2);
      if constexpr (sizeof(TestType) == 8)
        for (auto* v : {&x, &y})
          for (TestType& e : *v) e = static_cast<TestType>(e / 4096);  // differences that float64 holds exactly
    } else {
      y = inputs::bell<TestType>(n, 0.5);
      x = updated(y, 0.01);
    }
    const tt::Difference d = tt::difference(x, y);
    check_against(d, x, y);
    for (std::size_t offset = 0; offset < 64; offset += n < 101 ? 1 : 13)
      REQUIRE(bits(tt::difference(inputs::Misaligned(x, offset).view(), inputs::Misaligned(y, 63 - offset).view())) ==
              bits(d));
  }
}

TEMPLATE_TEST_CASE("differences are summed in the published tree, to the bit", "[reduce][difference]", float, double) {
  for (const std::size_t n : {1u, 17u, 333u, 4096u, 4097u, 12289u, 50000u}) {
    CAPTURE(n);
    const auto y = inputs::bell<TestType>(n, 0.1);
    const auto x = updated(y, 0.1);
    std::vector<double> differences(n), products(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double a = x[i], b = y[i];
      differences[i] = tt::detail::rounded((a - b) * (a - b));
      products[i] = tt::detail::rounded(a * b);
    }
    const auto d = tt::difference(x, y);
    CHECK(d.squared_differences == tree_sum(differences));
    CHECK(d.products == tree_sum(products));
  }
}

TEST_CASE("close has the meaning of numpy.isclose", "[reduce][difference]") {
  const double nan = NAN;
  const auto close = [](double x, double y, tt::DifferenceOptions options = {}) {
    return tt::difference(x, y, options).allclose();
  };
  CHECK(close(1e10, 1.00001e10));  // these five are numpy's own examples
  CHECK_FALSE(close(1e-7, 1e-8));
  CHECK(close(1e-8, 1e-9));
  CHECK_FALSE(close(1e10, 1.0001e10));
  CHECK_FALSE(close(nan, nan));
  CHECK(close(nan, nan, {.equal_nan = true}));
  CHECK_FALSE(close(nan, 1, {.equal_nan = true}));
  CHECK(close(inf, inf));
  CHECK(close(-inf, -inf));
  CHECK_FALSE(close(inf, -inf));
  CHECK_FALSE(close(inf, 1e308));
  CHECK_FALSE(close(1, inf));
  CHECK_FALSE(close(nan, inf, {.equal_nan = true}));
  CHECK(close(0.0, -0.0, {.rtol = 0, .atol = 0}));
  CHECK(close(1.5, 1, {.rtol = 0.5, .atol = 0}));  // exactly at the tolerance
  CHECK(close(2, 3, {.rtol = 0.4, .atol = 0}));    // rtol is relative to y
  CHECK_FALSE(close(3, 2, {.rtol = 0.4, .atol = 0}));
  CHECK(tt::difference(std::vector<float>{}, std::vector<float>{}).allclose());
}

TEMPLATE_TEST_CASE("a NaN or an infinity in either tensor is counted and its pair excluded", "[reduce][difference]",
                   float, double, tt::Half, tt::BFloat16) {
  for (const std::size_t n : {1u, 2u, 17u, 70u, 4096u, 4111u, 9000u}) {
    const auto y = inputs::bell<TestType>(n, 2);
    const auto x = updated(y, 0.1);
    for (std::size_t place = 0; place < n; place += n < 100 ? 1 : 409)
      for (const float odd : {NAN, -NAN, INFINITY, -INFINITY})
        for (const bool in_x : {true, false}) {
          CAPTURE(n, place, odd, in_x);
          auto odd_x = x;
          auto odd_y = y;
          (in_x ? odd_x : odd_y)[place] = inputs::element<TestType>(odd);
          const tt::Difference d = tt::difference(odd_x, odd_y);
          REQUIRE(d.nan == (std::isnan(odd) ? 1 : 0));
          REQUIRE(d.infinite == (std::isnan(odd) ? 0 : 1));
          REQUIRE(d.first_non_finite == place);
          check_against(d, odd_x, odd_y);
        }
  }
}

TEST_CASE("many pairs that are not finite", "[reduce][difference]") {
  for (const std::size_t n : {40u, 5000u, 20000u}) {
    inputs::Random random(n);
    std::vector<double> y = inputs::bell<double>(n, 1);
    std::vector<double> x = updated(y, 1e-6);
    const std::array<double, 3> odd = {NAN, inf, -inf};
    std::uint64_t nan = 0, infinite = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (random.bits() % 2 == 0) x[i] = odd[random.bits() % 3];
      if (random.bits() % 2 == 0) y[i] = odd[random.bits() % 3];
      const bool any_nan = std::isnan(x[i]) || std::isnan(y[i]);
      nan += any_nan;
      infinite += !any_nan && (std::isinf(x[i]) || std::isinf(y[i]));
    }
    for (const bool equal_nan : {false, true}) {
      const auto d = tt::difference(x, y, {.equal_nan = equal_nan});
      CHECK(d.nan == nan);
      CHECK(d.infinite == infinite);
      check_against(d, x, y, {.equal_nan = equal_nan});
    }
  }
}

TEST_CASE("the difference has no numbers without a pair of finite elements", "[reduce][difference]") {
  const auto d = tt::difference(std::vector<float>(5000, NAN), std::vector<float>(5000, 1.0F));
  CHECK(d.nan == 5000);
  CHECK(d.finite() == 0);
  CHECK(d.close == 0);
  CHECK_FALSE(d.max_index);
  CHECK(std::isnan(d.max_abs));
  CHECK(d.l2() == 0);
  const auto empty = tt::difference(std::vector<float>{}, std::vector<float>{});
  CHECK(empty.count == 0);
  CHECK(std::isnan(empty.max_abs));
  CHECK(std::isnan(empty.relative()));
  CHECK(std::isnan(empty.cosine()));
}

TEMPLATE_TEST_CASE("the index of the largest difference is found, the first of equal ones", "[reduce][difference]",
                   float, double) {
  for (const std::size_t n : {1u, 5u, 40u, 4100u, 13000u}) {
    const std::vector<TestType> y(n, 1);
    for (std::size_t place = 0; place < n; place += n < 100 ? 1 : 313) {
      CAPTURE(n, place);
      auto x = y;
      x[place] = -4;
      x[n - 1 - (n - 1 - place) / 2] = -4;  // at `place` or after it
      const auto d = tt::difference(x, y);
      REQUIRE(d.max_abs == 5);
      REQUIRE(d.max_index == place);
    }
    CHECK(tt::difference(y, y).max_abs == 0);
    CHECK(tt::difference(y, y).max_index == 0);
  }
  std::vector<TestType> x(5000, 1), y(5000, 1);
  x[0] = y[1] = static_cast<TestType>(NAN);  // the first pair of finite elements
  CHECK(tt::difference(x, y).max_index == 2);
  x[2] = static_cast<TestType>(INFINITY);
  x[4] = 3;
  CHECK(tt::difference(x, y).max_index == 4);
}

TEST_CASE("norms and angles of known vectors", "[reduce][difference]") {
  const auto d = tt::difference(std::vector<float>{3, 4}, std::vector<float>{0, 0});
  CHECK(d.l2() == 5);
  CHECK(d.relative() == inf);
  CHECK(std::isnan(d.cosine()));
  CHECK(tt::difference(std::vector<float>{3, 0}, std::vector<float>{0, 4}).cosine() == 0);
  CHECK(tt::difference(std::vector<float>{3, 0}, std::vector<float>{0, 4}).relative() == 1.25);
  CHECK(tt::difference(std::vector<float>{1, 1}, std::vector<float>{-2, -2}).cosine() == Approx(-1));
  CHECK(std::isnan(tt::difference(0.0F, 0.0F).relative()));
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto x = inputs::bell<double>(3, 0, 1, seed);
    REQUIRE(tt::difference(x, x).cosine() <= 1);
    REQUIRE(tt::difference(x, x).cosine() >= 1 - 1e-15);
    REQUIRE(tt::difference(x, x).relative() == 0);
  }
}

TEST_CASE("extreme magnitudes of pairs", "[reduce][difference]") {
  SECTION("1e20 beside 1e-30, and the largest floats") {
    auto x = inputs::bell<float>(9000, 0, 1e20);
    auto y = inputs::bell<float>(9000, 0, 1e-30, 2);
    check_against(tt::difference(x, y), x, y);
    const std::vector<float> large(9000, std::numeric_limits<float>::max());
    x = inputs::bell<float>(9000, 0, 1e-30, 3);
    check_against(tt::difference(x, y), x, y);
    check_against(tt::difference(x, large), x, large);
  }
  SECTION("subnormals are not lost") {
    std::vector<float> x(5000), y(5000);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i % 9 + 1));
      y[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i % 7 + 1));
    }
    check_against(tt::difference(x, y, {.atol = 0}), x, y, {.atol = 0});
    CHECK(tt::difference(x, y).max_abs == 0x1p-149 * 8);
    CHECK(tt::difference(0x1p-1074, 0.0).max_abs == 0x1p-1074);
    CHECK_FALSE(tt::difference(0x1p-1074, 0.0, {.atol = 0}).allclose());
  }
  SECTION("squares of large float64 overflow to infinity, and pairs stay finite") {
    const auto d = tt::difference(std::vector<double>(5000, 1e200), std::vector<double>(5000, -1e200));
    CHECK(d.finite() == 5000);
    CHECK(d.squared_differences == inf);
    CHECK(d.products == -inf);
    CHECK(d.max_abs == 2e200);
    CHECK(d.close == 0);
  }
  SECTION("a difference that overflows is the largest") {
    const auto d = tt::difference(std::vector<double>{1, 1e308, INFINITY}, std::vector<double>{2, -1e308, 0});
    CHECK(d.infinite == 1);
    CHECK(d.max_abs == inf);
    CHECK(d.max_index == 1);
    CHECK(d.first_non_finite == 2);
    CHECK_FALSE(tt::difference(1e308, -1e308).allclose());
    const std::vector<double> odd = {inf, 1, 1, 1, 1e308}, even = {0, -inf, 2, 2, -1e308};
    CHECK(tt::difference(odd, even).max_index == 4);  // not an infinity before it
    CHECK(tt::difference(even, odd).max_index == 4);
  }
  SECTION("a sum of overflowed products is the usual NaN") {
    const auto d = tt::difference(std::vector<double>{1e200, 1e200}, std::vector<double>{1e200, -1e200});
    CHECK(std::bit_cast<std::uint64_t>(d.products) == 0x7ff8000000000000u);
    CHECK(std::bit_cast<std::uint64_t>(d.cosine()) == 0x7ff8000000000000u);
  }
}

TEST_CASE("differences of strided views are those of their copies, bit for bit", "[reduce][difference]") {
  const auto memory = inputs::bell<float>(200 * 100, 1, 2, 3);
  const auto other = updated(memory, 0.5);
  const auto check = [&](std::size_t first, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides) {
    const tt::TensorView x(memory.data() + first, DType::f32, shape, strides);
    const tt::TensorView y(other.data(), DType::f32, shape);
    std::vector<float> copy(x.size());
    tt::copy_row_major(x, reinterpret_cast<std::byte*>(copy.data()));
    const tt::TensorView x_copy(copy.data(), DType::f32, shape);
    CHECK(bits(tt::difference(x, y)) == bits(tt::difference(x_copy, y)));
    CHECK(bits(tt::difference(y, x)) == bits(tt::difference(y, x_copy)));
    CHECK(bits(tt::difference(x, x)) == bits(tt::difference(x_copy, x_copy)));
  };
  check(0, {100, 200}, {1, 100});
  check(199 * 100 + 99, {200, 100}, {-100, -1});
  check(0, {10000}, {2});
  check(0, {50, 300}, {0, 1});
  check(7, {30, 5, 9}, {600, 3, 17});
}

TEMPLATE_TEST_CASE("merging differences of the pieces of the tree gives the whole, bit for bit", "[reduce][difference]",
                   float, double) {
  for (const std::size_t n : {4097u, 8192u, 12288u, 20000u, 40000u})
    for (const bool odd : {false, true}) {
      const std::size_t cut = std::bit_floor((n - 1) / 4096) * 4096;
      CAPTURE(n, cut, odd);
      const auto y = inputs::bell<TestType>(n, 1);
      auto x = updated(y, 0.1);
      if (odd) x[n - 5] = static_cast<TestType>(NAN);
      x[n - 3] = 1000;
      const std::span<const TestType> a(x), b(y);
      const auto merged =
          merge(tt::difference(a.first(cut), b.first(cut)), tt::difference(a.subspan(cut), b.subspan(cut)));
      CHECK(bits(merged) == bits(tt::difference(x, y)));
      CHECK(merged.max_index == n - 3);
      CHECK(merged.first_non_finite.has_value() == odd);
    }
}

TEST_CASE("merging differences cut anywhere changes the last bits only", "[reduce][difference]") {
  const auto y = inputs::bell<double>(10000, 10);
  const auto x = updated(y, 0.1);
  const std::span<const double> a(x), b(y);
  for (const std::size_t cut : {0u, 1u, 100u, 5000u, 9999u, 10000u}) {
    CAPTURE(cut);
    check_against(merge(tt::difference(a.first(cut), b.first(cut)), tt::difference(a.subspan(cut), b.subspan(cut))), x,
                  y);
  }
  CHECK(bits(merge(tt::Difference{}, tt::Difference{})) == bits(tt::Difference{}));
}

TEST_CASE("difference throws for incompatible tensors and invalid tolerances", "[reduce][difference]") {
  const std::vector<float> six(6);
  const std::array<std::int64_t, 2> wide = {2, 3}, high = {3, 2};
  const tt::TensorView x(six.data(), DType::f32, wide);
  CHECK_THROWS_WITH(tt::difference(x, tt::TensorView(six.data(), DType::f32, high)),
                    "difference: the two tensors differ in shape ([2, 3] and [3, 2]); reshape one of them first");
  CHECK_THROWS_WITH(tt::difference(x, six), contains("([2, 3] and [6])"));
  CHECK_THROWS_WITH(
      tt::difference(six, std::vector<double>(6)),
      "difference: the two tensors differ in element type (float32 and float64); convert one of them first");
  CHECK_THROWS_WITH(tt::difference(std::string("x"), std::string("x")), contains("str"));
  CHECK_THROWS_AS(tt::difference(std::complex<float>(1), std::complex<float>(1)), tt::Error);
  CHECK_THROWS_WITH(tt::difference(six, six, {.rtol = -0.5}), contains("rtol: it is negative or not finite (-0.5)"));
  CHECK_THROWS_WITH(tt::difference(six, six, {.atol = NAN}), contains("atol: it is negative or not finite (nan)"));
  CHECK_THROWS_AS(tt::difference(six, six, {.rtol = inf}), tt::Error);
}

#if defined(__x86_64__) || defined(__aarch64__)
TEST_CASE("differences do not depend on the caller's floating-point mode", "[reduce][difference]") {
  const auto y = inputs::bell<float>(5000, 0, 1e-3);
  auto x = updated(y, 1e-4);
  for (std::size_t i = 0; i < x.size(); i += 7) x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i + 1));
  const auto usual = bits(tt::difference(x, y));
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(rounding);
    const auto d = tt::difference(x, y);
    std::fesetround(FE_TONEAREST);
    CHECK(bits(d) == usual);
  }
#if defined(__x86_64__)
  std::uint32_t before = 0;
  asm volatile("stmxcsr %0" : "=m"(before));
  const std::uint32_t flushing = before | 0x8040;
  asm volatile("ldmxcsr %0" ::"m"(flushing) : "memory");
  const auto d = tt::difference(x, y);
  const auto tiny = tt::difference(0x1p-1073, 0x1p-1074);
  const auto subnormal_sum = merge(tt::difference(0x1p-530, 0.0), tt::difference(0x1p-530, 0.0));
  const double norm = subnormal_sum.l2();
  asm volatile("ldmxcsr %0" ::"m"(before) : "memory");
  CHECK(bits(d) == usual);
  CHECK(tiny.max_abs == 0x1p-1074);
  CHECK(subnormal_sum.squared_differences == 0x1p-1059);
  CHECK(norm == std::sqrt(0x1p-1059));
#endif
}
#endif

// The hash was the same with g++ 12 and clang 14, at -O0, -O2, -O3 -march=native, -O3 -ffast-math and -Ofast
// -march=native.
TEST_CASE("the bits of differences are those of the first release", "[reduce][difference][bits]") {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](const auto& x, const auto& y) {
    for (const double rtol : {0.0, 1e-5, 0.25})
      for (const std::uint64_t number : bits(tt::difference(x, y, {.rtol = rtol, .equal_nan = rtol > 0})))
        hash = (hash ^ number) * 0x100000001b3u;
  };
  const auto add_bell = [&]<class T>(std::size_t n) {
    for (const double mean : {0.0, 1e3}) {
      const auto y = inputs::bell<T>(n, mean);
      add(updated(y, 1e-6), y);
      add(updated(y, 0.5), y);
    }
  };
  const auto add_bits = [&]<class T>(std::size_t n, std::uint64_t mask) {
    inputs::Random random(n);
    std::vector<T> x(n), y(n);
    for (auto* v : {&x, &y})
      for (T& e : *v) {
        const auto bits_of_e = static_cast<tt::detail::BitsOf<T>>(random.bits() >> 3 & mask);
        std::memcpy(&e, &bits_of_e, sizeof e);
      }
    add(x, y);
  };
  for (const std::size_t n : {0u, 1u, 5u, 16u, 31u, 100u, 1000u, 4095u, 4096u, 4097u, 10000u, 70001u}) {
    add_bell.operator()<float>(n);
    add_bell.operator()<double>(n);
    add_bell.operator()<tt::Half>(n);
    add_bell.operator()<tt::BFloat16>(n);
    add(inputs::anything<std::int16_t>(n), inputs::anything<std::int16_t>(n, 2));
    add(inputs::anything<std::int64_t>(n), inputs::anything<std::int64_t>(n, 2));
    add(inputs::anything<std::uint64_t>(n), inputs::anything<std::uint64_t>(n, 2));
    add_bits.operator()<float>(n, 0x80ffffff);               // subnormals among others
    add_bits.operator()<float>(n, 0xffffffff);               // NaN and infinities among others
    add_bits.operator()<double>(n, ~std::uint64_t{0} >> 3);  // squares that vanish
  }
  CHECK(hash == 0x40970f7ff0f6473a);
}
