#include <array>
#include <bit>
#include <cfenv>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "expected.hpp"
#include "inputs.hpp"

namespace tt = tensortap;

namespace {

constexpr double not_a_double = std::numeric_limits<double>::quiet_NaN();
using expected::error_of;
using expected::inf;

/// Compares the finite part with long double sums over `finite`. The bound of a sum is relative to the sum of the
/// magnitudes.
template <class T>
void check_against(const tt::Statistics& s, const std::vector<T>& finite, double tolerance = 1e-13) {
  const auto r = inputs::reference(std::span<const T>(finite));
  REQUIRE(s.finite() == finite.size());
  REQUIRE(s.zeros == r.zeros);
  if (finite.empty()) return;
  REQUIRE(std::fabs(static_cast<double>(static_cast<long double>(s.sum) - r.sum)) <= tolerance * s.abs_sum);
  REQUIRE(error_of(s.abs_sum, r.abs_sum) <= tolerance);
  REQUIRE(error_of(s.sum_squares, r.sum_squares) <= tolerance);
  REQUIRE(error_of(s.l2(), std::sqrt(r.sum_squares)) <= tolerance);
  REQUIRE(error_of(s.squared_deviations, r.squared_deviations) <= 1e-12);
  REQUIRE(error_of(s.abs_squared_deviations, r.abs_squared_deviations) <= 1e-12);
  REQUIRE(s.min == static_cast<double>(r.min));
  REQUIRE(s.max == static_cast<double>(r.max));
  REQUIRE(s.abs_min == static_cast<double>(r.abs_min));
  REQUIRE(s.abs_max == static_cast<double>(r.abs_max));
}

bool same_bits(const tt::Statistics& a, const tt::Statistics& b) {
  const auto x = a.to_record();
  const auto y = b.to_record();
  return std::memcmp(x.data(), y.data(), sizeof x) == 0;
}

std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }

}  // namespace

TEMPLATE_TEST_CASE("statistics agree with long double sums at every size", "[reduce][statistics]", float, double) {
  for (std::size_t n = 0; n <= 1100; ++n) {
    CAPTURE(n);
    const auto x = inputs::bell<TestType>(n, 0.25);
    const tt::Statistics s = tt::statistics(x);
    REQUIRE(s.count == n);
    REQUIRE(s.non_finite() == 0);
    REQUIRE_FALSE(s.first_non_finite);
    check_against(s, x);
  }
}

TEMPLATE_TEST_CASE("statistics agree with long double sums around block borders", "[reduce][statistics]", float,
                   double) {
  for (const std::size_t blocks : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 21u})
    for (const int more : {-17, -1, 0, 1, 15, 16, 17, 100}) {
      const auto n = static_cast<std::size_t>(static_cast<int>(blocks * 4096) + more);
      CAPTURE(n);
      const auto x = inputs::bell<TestType>(n, -0.5, 3);
      check_against(tt::statistics(x), x);
    }
}

TEMPLATE_TEST_CASE("statistics do not depend on the alignment", "[reduce][statistics]", float, double) {
  for (const std::size_t n : {1u, 5u, 16u, 33u, 1000u, 4096u, 5000u}) {
    const auto x = inputs::bell<TestType>(n, 1);
    const tt::Statistics aligned = tt::statistics(x);
    for (std::size_t offset = 0; offset < 64; ++offset) {
      CAPTURE(n, offset);
      REQUIRE(same_bits(tt::statistics(inputs::Misaligned(x, offset).view()), aligned));
    }
  }
}

TEMPLATE_TEST_CASE("statistics of every element type", "[reduce][statistics]", tt::Half, tt::BFloat16, float, double,
                   std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t, std::uint32_t,
                   std::uint64_t) {
  for (const std::size_t n : {1u, 15u, 16u, 17u, 100u, 4095u, 4096u, 4100u, 12345u}) {
    CAPTURE(n);
    std::vector<TestType> x;
    if constexpr (std::is_integral_v<TestType>) {
      x = inputs::anything<TestType>(n);
      if constexpr (sizeof(TestType) == 8)
        for (TestType& e : x) e = static_cast<TestType>(e / 2048);  // which float64 holds exactly
    } else {
      x = inputs::bell<TestType>(n, 0.5);
    }
    for (const std::size_t offset : {0u, 1u, 3u})
      check_against(tt::statistics(inputs::Misaligned(x, offset).view()), x);
  }
}

TEST_CASE("statistics of bools read any byte but 0 as true", "[reduce][statistics]") {
  const std::array<std::uint8_t, 20> bytes = {0, 1, 1, 0, 2, 255};
  const std::int64_t extent = 20;
  const auto s = tt::statistics(tt::TensorView(bytes.data(), tt::DType::boolean, {&extent, 1}));
  CHECK(s.sum == 4);
  CHECK(s.zeros == 16);
  CHECK(s.max == 1);
}

TEST_CASE("integers beyond 2^53 are described by their nearest float64", "[reduce][statistics]") {
  const std::vector<std::uint64_t> x = {~std::uint64_t{0}, 0};
  CHECK(tt::statistics(x).max == 0x1p64);
  const std::vector<std::int64_t> y = {std::numeric_limits<std::int64_t>::min(), 1};
  CHECK(tt::statistics(y).min == -0x1p63);
  CHECK(tt::statistics(y).abs_max == 0x1p63);
}

TEMPLATE_TEST_CASE("a NaN or an infinity anywhere is counted and excluded", "[reduce][statistics]", float, double,
                   tt::Half, tt::BFloat16) {
  for (const std::size_t n : {1u, 2u, 16u, 17u, 70u, 4096u, 4111u}) {
    const auto whole = inputs::bell<TestType>(n, 2);
    for (std::size_t place = 0; place < n; place += n < 100 || place > 4090 ? 1 : 37) {
      for (const float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
        CAPTURE(n, place, odd);
        auto x = whole;
        x[place] = inputs::element<TestType>(odd);
        const tt::Statistics s = tt::statistics(x);
        REQUIRE(s.count == n);
        REQUIRE(s.nan == (std::isnan(odd) ? 1 : 0));
        REQUIRE(s.positive_inf == (odd > 0 && std::isinf(odd) ? 1 : 0));
        REQUIRE(s.negative_inf == (odd < 0 && std::isinf(odd) ? 1 : 0));
        REQUIRE(s.first_non_finite == place);
        x.erase(x.begin() + static_cast<std::ptrdiff_t>(place));
        check_against(s, x);
      }
    }
  }
}

TEST_CASE("many NaNs and infinities", "[reduce][statistics]") {
  inputs::Random random(5);
  for (const std::size_t n : {40u, 5000u, 20000u}) {
    std::vector<float> x = inputs::bell<float>(n, 100);
    std::vector<float> finite;
    std::uint64_t count[4] = {};
    for (float& e : x) {
      const auto kind = random.bits() % 4;
      ++count[kind];
      if (kind == 0)
        finite.push_back(e);
      else
        e = kind == 1 ? NAN : kind == 2 ? INFINITY : -INFINITY;
    }
    const auto s = tt::statistics(x);
    CHECK(s.nan == count[1]);
    CHECK(s.positive_inf == count[2]);
    CHECK(s.negative_inf == count[3]);
    check_against(s, finite);
  }
}

TEST_CASE("statistics have no numbers without finite elements", "[reduce][statistics]") {
  std::vector<double> x(5000, not_a_double);
  x[4999] = inf;
  auto s = tt::statistics(x);
  CHECK(s.finite() == 0);
  CHECK(s.nan == 4999);
  CHECK(s.first_non_finite == 0);
  for (const double number : {s.min, s.max, s.abs_min, s.abs_max, s.mean(), s.std()}) CHECK(std::isnan(number));
  CHECK(s.l2() == 0);
  x[4998] = -3;  // one finite element, in the second block
  s = tt::statistics(x);
  CHECK(s.finite() == 1);
  CHECK(s.min == -3);
  CHECK(s.max == -3);
  CHECK(s.mean() == -3);
  CHECK(s.variance() == 0);
}

TEST_CASE("an empty tensor", "[reduce][statistics]") {
  const auto s = tt::statistics(std::vector<float>{});
  CHECK(s.count == 0);
  CHECK(s.sum == 0);
  CHECK(s.l1() == 0);
  CHECK(s.l2() == 0);
  CHECK(s.linf() == 0);
  CHECK(std::isnan(s.mean()));
  CHECK(std::isnan(s.variance()));
  CHECK(std::isnan(s.min));
}

TEST_CASE("one element", "[reduce][statistics]") {
  const auto s = tt::statistics(-2.5F);
  CHECK(s.mean() == -2.5);
  CHECK(s.variance() == 0);
  CHECK(s.std() == 0);
  CHECK(std::isnan(s.sample_variance()));
  CHECK(s.abs_mean() == 2.5);
  CHECK(s.linf() == 2.5);
}

TEST_CASE("variance divides by N, sample variance by N - 1", "[reduce][statistics]") {
  const auto s = tt::statistics(std::vector<int>{1, 2, 3, 4});
  CHECK(s.variance() == 1.25);
  CHECK(s.sample_variance() == 5.0 / 3);
  CHECK(s.std() == std::sqrt(1.25));
  CHECK(s.sample_std() == std::sqrt(5.0 / 3));
}

TEST_CASE("minus zero is smaller than zero, in any order", "[reduce][statistics]") {
  for (const std::size_t n : {2u, 40u, 9000u})
    for (std::size_t place = 0; place < n; place += n < 100 ? 1 : 997) {
      CAPTURE(n, place);
      std::vector<float> x(n, 0.0F);
      x[place] = -0.0F;
      auto s = tt::statistics(x);
      REQUIRE(s.zeros == n);
      REQUIRE(bits(s.min) == bits(-0.0));
      REQUIRE(bits(s.max) == bits(0.0));
      REQUIRE(bits(s.abs_min) == bits(0.0));
      REQUIRE(bits(s.abs_max) == bits(0.0));
      for (float& e : x) e = -e;
      s = tt::statistics(x);
      REQUIRE(bits(s.min) == bits(-0.0));
      REQUIRE(bits(s.max) == bits(0.0));
    }
  CHECK(bits(tt::statistics(std::vector<double>(10, -0.0)).max) == bits(-0.0));
  CHECK(bits(tt::statistics(std::vector<double>(10, 0.0)).min) == bits(0.0));
  CHECK(bits(tt::statistics(std::vector<double>{1, 0.0, -0.0}).min) == bits(-0.0));
  CHECK(bits(tt::statistics(std::vector<double>{-1, -0.0, 0.0, -0.0}).max) == bits(0.0));
}

TEST_CASE("extreme magnitudes", "[reduce][statistics]") {
  SECTION("the largest floats do not overflow") {
    const std::vector<float> x(10000, std::numeric_limits<float>::max());
    check_against(tt::statistics(x), x);
  }
  SECTION("the smallest subnormals are not lost") {
    std::vector<float> x(5000);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i % 9 + 1));
    check_against(tt::statistics(x), x);
    CHECK(tt::statistics(x).abs_min == 0x1p-149);
  }
  SECTION("1e20 beside 1e-30") {
    auto x = inputs::bell<float>(9000, 0, 1e20);
    const auto small = inputs::bell<float>(9000, 0, 1e-30, 2);
    x.insert(x.end(), small.begin(), small.end());
    check_against(tt::statistics(x), x);
    check_against(tt::statistics(small), small);
  }
  SECTION("squares of large float64 overflow to infinity and nothing else does") {
    const std::vector<double> x(5000, 1e200);
    auto s = tt::statistics(x);
    CHECK(s.non_finite() == 0);
    CHECK(s.sum_squares == inf);
    CHECK(error_of(s.mean(), 1e200) < 1e-13);
    CHECK(s.variance() == 0);
    const std::vector<double> y = {1e308, 1e308, 1e308, -1e308};
    s = tt::statistics(y);
    CHECK(s.non_finite() == 0);
    CHECK(s.abs_sum == inf);
    CHECK(s.max == 1e308);
    CHECK(s.variance() == inf);
  }
}

TEMPLATE_TEST_CASE("the variance does not cancel where the mean is many times the std", "[reduce][statistics]", float,
                   double) {
  for (const double mean : {0.0, 1.0, 4.0, 10.0, 1e3, -1e6})
    for (const std::size_t n : {2u, 3u, 100u, 4096u, 4097u, 8191u, 8192u, 9000u, 100000u}) {
      CAPTURE(mean, n);
      const auto x = inputs::bell<TestType>(n, mean, 1);
      const auto r = inputs::reference(std::span<const TestType>(x));
      const auto s = tt::statistics(x);
      REQUIRE(error_of(s.squared_deviations, r.squared_deviations) <= 1e-12);
      REQUIRE(error_of(s.abs_squared_deviations, r.abs_squared_deviations) <= 1e-12);
      REQUIRE(error_of(s.mean(), r.sum / static_cast<long double>(n)) <= (mean == 0 ? 1e-9 : 1e-13));
    }
}

TEST_CASE("the variance of 1e8 + noise is that of the noise", "[reduce][statistics]") {
  for (const std::size_t n : {1000u, 50000u}) {
    const auto x = inputs::bell<double>(n, 1e8, 1);
    const auto r = inputs::reference(std::span<const double>(x));
    CHECK(error_of(tt::statistics(x).squared_deviations, r.squared_deviations) <= 1e-11);
  }
}

TEST_CASE("the variance of magnitudes has its own mean", "[reduce][statistics]") {
  auto x = inputs::bell<double>(20000, 1e6, 1);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = -x[i];
  check_against(tt::statistics(x), x);
  x[77] = inf;
  auto finite = x;
  finite.erase(finite.begin() + 77);
  check_against(tt::statistics(x), finite);
}

TEST_CASE("equal elements have no variance", "[reduce][statistics]") {
  for (const double value : {0.1, -1e-300, 1e6 / 3, 12345.678})
    for (const std::size_t n : {2u, 4096u, 10000u, 30001u}) {
      CHECK(tt::statistics(std::vector<double>(n, value)).variance() == 0);
      CHECK(tt::statistics(std::vector<float>(n, static_cast<float>(value))).std() == 0);
    }
}

TEST_CASE("strided views have the statistics of their copies, bit for bit", "[reduce][statistics]") {
  const auto memory = inputs::bell<float>(200 * 100, 1, 2, 3);
  const auto check = [&](const float* first, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides) {
    const tt::TensorView view(first, tt::DType::f32, shape, strides);
    std::vector<float> copy(view.size());
    tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
    CHECK_FALSE(view.is_contiguous());
    CHECK(same_bits(tt::statistics(view), tt::statistics(copy)));
  };
  const float* first = memory.data();
  check(first, {100, 200}, {1, 100});                     // transposed
  check(first + 199 * 100 + 99, {200, 100}, {-100, -1});  // both axes backwards
  check(first, {10000}, {2});                             // every second
  check(first + 19999, {20000}, {-1});                    // backwards
  check(first, {19, 1, 10, 100}, {1000, 0, 100, 2});      // an extent of 1
  check(first, {50, 300}, {0, 1});                        // broadcast
  check(first + 7, {30, 5, 9}, {600, 3, 17});
  check(first, {5000, 2}, {1, 5000});
}

TEST_CASE("strided views of every width", "[reduce][statistics]") {
  const auto run = []<class T>() {
    const auto x = inputs::anything<T>(9000);
    const std::array<std::int64_t, 2> shape = {90, 100};
    const std::array<std::int64_t, 2> strides = {1, 90};
    const tt::TensorView view(x.data(), *tt::dtype_v<T>, shape, strides);
    std::vector<T> copy(x.size());
    tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
    CHECK(same_bits(tt::statistics(view), tt::statistics(copy)));
  };
  run.operator()<std::int8_t>();
  run.operator()<std::uint16_t>();
  run.operator()<std::int32_t>();
  run.operator()<std::uint64_t>();
}

TEMPLATE_TEST_CASE("merging the pieces of the tree gives the whole, bit for bit", "[reduce][statistics]", float,
                   double) {
  for (const std::size_t n : {4097u, 8192u, 8193u, 12288u, 20000u, 40000u}) {
    auto x = inputs::bell<TestType>(n, 1000, 1);
    x[n - 5] = static_cast<TestType>(NAN);
    const std::size_t cut = std::bit_floor((n - 1) / 4096) * 4096;
    CAPTURE(n, cut);
    const std::span<const TestType> all(x);
    const auto merged = merge(tt::statistics(all.first(cut)), tt::statistics(all.subspan(cut)));
    CHECK(same_bits(merged, tt::statistics(x)));
    CHECK(merged.first_non_finite == n - 5);
  }
}

TEST_CASE("merging pieces cut anywhere differs in the last bits only", "[reduce][statistics]") {
  const auto x = inputs::bell<double>(10000, 1e4, 1);
  const std::span<const double> all(x);
  for (const std::size_t cut : {0u, 1u, 100u, 5000u, 9999u, 10000u}) {
    CAPTURE(cut);
    check_against(merge(tt::statistics(all.first(cut)), tt::statistics(all.subspan(cut))), x);
  }
  CHECK(same_bits(merge(tt::Statistics{}, tt::Statistics{}), tt::Statistics{}));
}

#if defined(__x86_64__) || defined(__aarch64__)
TEST_CASE("statistics do not depend on the caller's floating-point mode, and leave it", "[reduce][statistics]") {
  std::vector<float> x = inputs::bell<float>(5000, 0, 1e-3);
  for (std::size_t i = 0; i < x.size(); i += 7) x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i + 1));
  const tt::Statistics usual = tt::statistics(x);
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(rounding);
    const tt::Statistics s = tt::statistics(x);
    CHECK(std::fegetround() == rounding);
    std::fesetround(FE_TONEAREST);
    CHECK(same_bits(s, usual));
  }
#if defined(__x86_64__)
  std::uint32_t before = 0, after = 0;
  asm volatile("stmxcsr %0" : "=m"(before));
  const std::uint32_t flushing = before | 0x8040;
  asm volatile("ldmxcsr %0" ::"m"(flushing) : "memory");
  const tt::Statistics s = tt::statistics(x);
  asm volatile("stmxcsr %0" : "=m"(after)::"memory");
  asm volatile("ldmxcsr %0" ::"m"(before) : "memory");
  CHECK(same_bits(s, usual));
  CHECK((after & 0xffc0) == (flushing & 0xffc0));
#endif
}
#endif

TEST_CASE("the record of statistics", "[reduce][statistics]") {
  std::vector<float> x = inputs::bell<float>(9999, 3);
  x[5000] = NAN;
  x[6000] = -INFINITY;
  const tt::Statistics s = tt::statistics(x);
  const auto record = s.to_record();

  SECTION("its order is published and must not change") {
    const std::array<std::string_view, 20> fields = {"count",
                                                     "nan",
                                                     "positive_inf",
                                                     "negative_inf",
                                                     "zeros",
                                                     "first_non_finite",
                                                     "min",
                                                     "max",
                                                     "abs_min",
                                                     "abs_max",
                                                     "sum",
                                                     "abs_sum",
                                                     "sum_squares",
                                                     "squared_deviations",
                                                     "abs_squared_deviations",
                                                     "sum_error",
                                                     "abs_sum_error",
                                                     "abs_max_index",
                                                     "non_finite_bits_low",
                                                     "non_finite_bits_high"};
    CHECK(tt::statistics_fields == fields);
    const std::array<double, 20> values = {9999,
                                           1,
                                           0,
                                           1,
                                           0,
                                           5000,
                                           s.min,
                                           s.max,
                                           s.abs_min,
                                           s.abs_max,
                                           s.sum,
                                           s.abs_sum,
                                           s.sum_squares,
                                           s.squared_deviations,
                                           s.abs_squared_deviations,
                                           s.sum_error,
                                           s.abs_sum_error,
                                           static_cast<double>(*s.abs_max_index),
                                           static_cast<double>(s.non_finite_bits & 0xffffffff),
                                           static_cast<double>(s.non_finite_bits >> 32)};
    CHECK(record == values);
  }
  SECTION("it can be read back") {
    const auto back = tt::Statistics::from_record(record);
    REQUIRE(back);
    CHECK(same_bits(*back, s));
    CHECK(back->first_non_finite == 5000);
    const auto empty = tt::Statistics::from_record(tt::Statistics{}.to_record());
    REQUIRE(empty);
    CHECK(same_bits(*empty, tt::Statistics{}));
    CHECK_FALSE(empty->first_non_finite);
  }
  SECTION("a longer record of a later version can be read") {
    std::vector<double> longer(record.begin(), record.end());
    longer.push_back(not_a_double);
    REQUIRE(tt::Statistics::from_record(longer));
    CHECK(same_bits(*tt::Statistics::from_record(longer), s));
  }
  SECTION("a shorter record of the first version can be read") {
    const auto back = tt::Statistics::from_record(std::span<const double>(record).first(17));
    REQUIRE(back);
    CHECK(back->sum == s.sum);
    CHECK_FALSE(back->abs_max_index);
    CHECK(back->non_finite_bits == 0);
  }
  SECTION("an impossible record is refused") {
    CHECK_FALSE(tt::Statistics::from_record({}));
    CHECK_FALSE(tt::Statistics::from_record(std::span<const double>(record).first(16)));
    for (const std::size_t field : {0u, 1u, 2u, 3u, 4u, 5u, 17u, 18u, 19u})
      for (const double bad : {not_a_double, inf, -inf, -2.0, 0.5, 1e300, 0x1p64}) {
        CAPTURE(field, bad);
        auto damaged = record;
        damaged[field] = bad;
        CHECK_FALSE(tt::Statistics::from_record(damaged));
      }
    auto damaged = record;
    damaged[1] = 10000;
    CHECK_FALSE(tt::Statistics::from_record(damaged));
    damaged[1] = 5000;
    damaged[2] = 5000;
    CHECK_FALSE(tt::Statistics::from_record(damaged));
    damaged = record;
    damaged[4] = 9998;  // more zeros than finite elements
    CHECK_FALSE(tt::Statistics::from_record(damaged));
    damaged = record;
    damaged[5] = 9999;  // beyond the end
    CHECK_FALSE(tt::Statistics::from_record(damaged));
  }
}

TEMPLATE_TEST_CASE("the largest magnitude has a place, the first of several", "[reduce][statistics]", tt::Half,
                   tt::BFloat16, float, double, std::int32_t) {
  for (const std::size_t n : {1u, 17u, 4096u, 4097u, 30000u}) {
    std::vector<TestType> x(n, inputs::element<TestType>(1));
    CHECK(tt::statistics(x).abs_max_index == 0);
    for (const std::size_t at : {std::size_t{0}, n / 3, n / 2, n - 1}) {
      CAPTURE(n, at);
      auto y = x;
      y[at] = inputs::element<TestType>(-7);
      y[n - 1] = inputs::element<TestType>(7);
      CHECK(tt::statistics(y).abs_max_index == (n == 1 ? 0 : at));
    }
  }
  CHECK_FALSE(tt::statistics(std::vector<TestType>{}).abs_max_index);
}

TEST_CASE("the first NaN or infinity shows its bits, in its own type", "[reduce][statistics]") {
  std::vector<double> wide(5000, 1.0);
  const std::uint64_t payload = 0xfff8123456789abcu;
  std::memcpy(&wide[4321], &payload, sizeof payload);
  CHECK(tt::statistics(wide).non_finite_bits == payload);
  std::vector<float> x(5000, 1.0f);
  x[4999] = std::bit_cast<float>(0x7f800000u);
  CHECK(tt::statistics(x).non_finite_bits == 0x7f800000u);
  x[4998] = std::bit_cast<float>(0xffc00123u);
  CHECK(tt::statistics(x).non_finite_bits == 0xffc00123u);
  std::vector<tt::Half> half(5, tt::Half(1));
  half[3].bits = 0xfc00;
  CHECK(tt::statistics(half).non_finite_bits == 0xfc00);
  CHECK(tt::statistics(std::vector<float>(5)).non_finite_bits == 0);
}

TEST_CASE("places survive merging", "[reduce][statistics]") {
  std::vector<float> x(10000, 1.0f);
  x[9000] = -5;
  x[9500] = 5;
  x[8500] = std::bit_cast<float>(0x7fc00001u);
  const std::span<const float> all(x);
  const auto merged = merge(tt::statistics(all.first(8192)), tt::statistics(all.subspan(8192)));
  CHECK(merged.abs_max_index == 9000);
  CHECK(merged.first_non_finite == 8500);
  CHECK(merged.non_finite_bits == 0x7fc00001u);
  const auto first_wins = merge(tt::statistics(all.subspan(8192)), tt::statistics(all.subspan(8192)));
  CHECK(first_wins.abs_max_index == 9000 - 8192);
}

TEST_CASE("complex numbers and strings have no statistics", "[reduce][statistics]") {
  const std::vector<std::complex<float>> x(3);
  CHECK_THROWS_WITH(tt::statistics(x), contains("complex64") && contains("real numbers"));
  CHECK_THROWS_AS(tt::statistics("text"), tt::Error);
}
