#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/reduce/histogram.hpp>
#include "catch.hpp"
#include "expected.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using tt::Half;
using tt::Histogram;

namespace {

using expected::inf;

/// Makes a histogram by comparing each element with the ends of the bins.
template <class T>
Histogram naive(std::span<const T> elements) {
  static const std::vector<double> ends = [] {  // of the positive bins
    std::vector<double> out;
    for (std::size_t i = Histogram::zero_bin + 1; i < Histogram::bin_count; ++i)
      out.push_back(Histogram::bounds(i).lower);
    return out;
  }();
  Histogram h;
  h.count = elements.size();
  for (const T element : elements) {
    const long double x = inputs::exact(element);
    const long double size = std::fabs(x);
    if (std::isnan(x)) {
      ++h.nan;
    } else if (std::isinf(x)) {
      ++(x > 0 ? h.positive_inf : h.negative_inf);
    } else if (size == 0) {
      ++h.counts[Histogram::zero_bin];
    } else {
      const auto bins = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), size) - ends.begin());
      ++h.counts[x > 0 ? Histogram::zero_bin + bins : Histogram::zero_bin - bins];
      long double smallest_normal = 0;
      if constexpr (std::is_same_v<T, tt::Half>) smallest_normal = 0x1p-14L;
      if constexpr (std::is_same_v<T, float> || std::is_same_v<T, tt::BFloat16>) smallest_normal = 0x1p-126L;
      if constexpr (std::is_same_v<T, double>) smallest_normal = 0x1p-1022L;
      h.subnormals += size < smallest_normal;
    }
  }
  return h;
}

template <class T>
Histogram naive(const std::vector<T>& elements) {
  return naive(std::span<const T>(elements));
}

/// Makes numbers of all magnitudes with NaN and infinities, or any integers.
template <class T>
std::vector<T> all_sizes(std::size_t n, std::uint64_t seed = 1) {
  inputs::Random random(seed + n);
  std::vector<T> out(n);
  for (T& x : out) {
    const std::uint64_t bits = random.bits();
    if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(bits >> (bits % 61));
      if (std::is_signed_v<T> && bits >> 63 == 0) x = static_cast<T>(0 - x);
    } else {
      std::memcpy(&x, reinterpret_cast<const std::byte*>(&bits) + 8 - sizeof x, sizeof x);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the bins ascend without gaps from the largest negative to the largest positive numbers",
          "[reduce][histogram]") {
  STATIC_REQUIRE(Histogram::bin_count == 2221);
  for (std::size_t i = 1; i < Histogram::bin_count; ++i) {
    CAPTURE(i);
    REQUIRE(Histogram::bounds(i - 1).upper == Histogram::bounds(i).lower);
    REQUIRE((Histogram::bounds(i).lower < Histogram::bounds(i).upper || i == Histogram::zero_bin));
    const auto mirrored = Histogram::bounds(Histogram::bin_count - 1 - i);
    REQUIRE(mirrored.lower == -Histogram::bounds(i).upper);
  }
  const auto positive = [](std::size_t i) { return Histogram::bounds(Histogram::zero_bin + i); };
  CHECK(positive(1).lower == 0);
  CHECK(positive(1).upper == 0x1p-149);
  CHECK(positive(2).upper == 1.25 * 0x1p-149);
  CHECK(positive(2 + 4 * 149).lower == 1);
  CHECK(positive(3 + 4 * 149).lower == 1.25);
  CHECK(positive(4 + 4 * 149).lower == 1.5);
  CHECK(positive(5 + 4 * 149).lower == 1.75);
  CHECK(positive(6 + 4 * 149).lower == 2);
  CHECK(positive(Histogram::bins_per_sign).lower == 0x1p128);
  CHECK(positive(Histogram::bins_per_sign).upper == std::numeric_limits<double>::max());
}

TEMPLATE_TEST_CASE("each element is in the bin whose ends enclose it", "[reduce][histogram]", tt::Half, tt::BFloat16,
                   float, double, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  const auto check = [](const std::vector<TestType>& x, std::size_t offset) {
    CAPTURE(x.size(), offset);
    REQUIRE((tt::histogram(inputs::Misaligned(x, offset).view()) == naive(x)));
  };
  for (std::size_t n = 0; n <= 100; ++n) check(all_sizes<TestType>(n), 0);
  for (const std::size_t n : {4095u, 4096u, 4097u, 9000u, 70001u}) check(all_sizes<TestType>(n), n % 4);
  for (std::size_t offset = 0; offset < 64; ++offset) check(all_sizes<TestType>(50), offset);
  if constexpr (!std::is_integral_v<TestType>) check(inputs::bell<TestType>(20000), 0);
}

TEMPLATE_TEST_CASE("every number of 16 bits is in its bin", "[reduce][histogram]", tt::Half, tt::BFloat16) {
  std::vector<TestType> x(65536);
  for (std::size_t i = 0; i < x.size(); ++i) x[i].bits = static_cast<std::uint16_t>(i);
  CHECK((tt::histogram(x) == naive(x)));
}

TEMPLATE_TEST_CASE("numbers next to the end of a bin are in the right bin", "[reduce][histogram]", float, double) {
  std::vector<TestType> x;
  for (std::size_t i = 0; i < Histogram::bin_count; ++i) {
    const double end = Histogram::bounds(i).lower;
    if (std::fabs(end) > std::numeric_limits<TestType>::max()) continue;
    const auto at = static_cast<TestType>(end);
    x.insert(x.end(),
             {at, std::nextafter(at, static_cast<TestType>(inf)), std::nextafter(at, -static_cast<TestType>(inf))});
  }
  CHECK((tt::histogram(x) == naive(x)));
}

TEST_CASE("zeros, subnormals, NaN and infinities are counted", "[reduce][histogram]") {
  const std::vector<double> x = {0.0, -0.0, NAN, -NAN, inf, inf, -inf, 0x1p-1074, -0x1p-1023, 0x1p-1022, 1e300, -1e300};
  for (const std::size_t more : {0u, 5000u}) {
    auto y = x;
    y.insert(y.begin(), more, 1.0);
    const auto h = tt::histogram(y);
    CHECK(h.count == 12 + more);
    CHECK(h.zeros() == 2);
    CHECK(h.nan == 2);
    CHECK(h.positive_inf == 2);
    CHECK(h.negative_inf == 1);
    CHECK(h.non_finite() == 5);
    CHECK(h.finite() == 7 + more);
    CHECK(h.subnormals == 2);
    CHECK(h.counts.front() == 1);
    CHECK(h.counts.back() == 1);
    CHECK(h.counts[Histogram::zero_bin - 1] == 1);
    CHECK(h.counts[Histogram::zero_bin + 1] == 2);
  }
  for (const double subnormal : {0x1p-1074, -0x1p-1030})  // nothing else in the block is odd
    CHECK(tt::histogram(std::vector<double>{subnormal, 1, 0}).subnormals == 1);
  CHECK(tt::histogram(std::vector<double>{0x1p-1022, 1, 0}).subnormals == 0);
  CHECK(tt::histogram(std::vector<float>{0x1p-149F, -0x1p-127F, 0x1p-126F, 0}).subnormals == 2);
  CHECK(tt::histogram(std::vector{Half::from_bits(1), Half::from_bits(0x83ff), Half::from_bits(0x0400), Half()})
            .subnormals == 2);
  CHECK((tt::histogram(std::vector<float>(9000, NAN)) == naive(std::vector<float>(9000, NAN))));
}

TEST_CASE("integers beyond 2^53 are in their own bins", "[reduce][histogram]") {
  constexpr std::int64_t power = std::int64_t{1} << 62;
  const auto h = tt::histogram(std::vector<std::int64_t>{power - 1, power, -power + 1, INT64_MIN, INT64_MAX});
  CHECK(h.count_below(62) == 2);
  CHECK(h.count_below(63) == 4);
  CHECK(h.count_from(63) == 1);
  CHECK(tt::histogram(std::vector<std::uint64_t>{UINT64_MAX, 0}).count_below(64) == 2);
  CHECK(tt::histogram(std::vector<std::uint64_t>{UINT64_MAX, 0}).count_from(63) == 1);
}

TEMPLATE_TEST_CASE("elements below a power of two and from it on are counted", "[reduce][histogram]", float, tt::Half,
                   std::int64_t, std::int8_t) {
  const auto x = all_sizes<TestType>(3000);
  const auto h = tt::histogram(x);
  for (int exponent = -1100; exponent <= 1100; ++exponent) {
    CAPTURE(exponent);
    std::uint64_t below = 0, from = 0;
    for (const TestType e : x) {
      const long double size = std::fabs(inputs::exact(e));
      below += size < std::ldexp(1.0L, exponent);
      from += size >= std::ldexp(1.0L, exponent) && !std::isinf(size);
    }
    REQUIRE(h.count_below(exponent) == below);
    REQUIRE(h.count_from(exponent) == from);
  }
}

TEST_CASE("count_below returns nothing for powers of two inside a bin", "[reduce][histogram]") {
  const auto tiny = tt::histogram(std::vector<double>{0, 1, 0x1p-150});
  CHECK_FALSE(tiny.count_below(-150));
  CHECK_FALSE(tiny.count_from(-1073));
  CHECK(tiny.count_below(-149) == 2);
  CHECK(tiny.count_below(-1074) == 1);
  CHECK(tiny.count_below(1000) == 3);
  const auto huge = tt::histogram(std::vector<double>{0, 1, -0x1p128});
  CHECK_FALSE(huge.count_below(129));
  CHECK_FALSE(huge.count_below(1023));
  CHECK(huge.count_below(128) == 2);
  CHECK(huge.count_below(1024) == 3);
  CHECK(huge.count_from(-1000) == 2);
}

TEMPLATE_TEST_CASE("quantiles lie within their bounds", "[reduce][histogram]", float, double, tt::Half, std::int32_t,
                   std::uint8_t, std::uint64_t) {
  for (const std::size_t n : {1u, 2u, 3u, 10u, 11u, 101u, 5000u})
    for (const bool spread : {false, true}) {
      std::vector<TestType> x = all_sizes<TestType>(n);
      if constexpr (!std::is_integral_v<TestType>)
        if (!spread) x = inputs::bell<TestType>(n, 0.5);
      std::vector<long double> sorted, magnitudes;
      for (const TestType e : x) {
        if (!std::isfinite(inputs::exact(e))) continue;
        sorted.push_back(inputs::exact(e));
        magnitudes.push_back(std::fabs(inputs::exact(e)));
      }
      std::sort(sorted.begin(), sorted.end());
      std::sort(magnitudes.begin(), magnitudes.end());
      const auto h = tt::histogram(x);
      for (const double q : {0.0, 0.01, 0.1, 0.25, 1.0 / 3, 0.5, 0.9, 0.999, 1.0}) {
        CAPTURE(n, spread, q);
        const double place = q * static_cast<double>(sorted.size() - 1);
        const auto low = static_cast<std::size_t>(std::floor(place));
        const auto high = static_cast<std::size_t>(std::ceil(place));
        const auto bounds = h.quantile(q);
        const auto abs_bounds = h.abs_quantile(q);
        REQUIRE((bounds && abs_bounds));
        REQUIRE(static_cast<long double>(bounds->lower) <= sorted[low]);
        REQUIRE(sorted[high] <= static_cast<long double>(bounds->upper));
        REQUIRE(static_cast<long double>(abs_bounds->lower) <= magnitudes[low]);
        REQUIRE(magnitudes[high] <= static_cast<long double>(abs_bounds->upper));
        // As near as the bins allow.
        const auto binned = [](long double size) { return size >= 0x1p-149L && size < 0x1p128L; };
        if (binned(magnitudes[low])) REQUIRE(magnitudes[low] < abs_bounds->lower * 1.25L);
        if (binned(magnitudes[high])) REQUIRE(abs_bounds->upper <= magnitudes[high] * 1.25L);
        if (binned(sorted[low])) REQUIRE(sorted[low] < bounds->lower * 1.25L);
        if (binned(sorted[high])) REQUIRE(bounds->upper <= sorted[high] * 1.25L);
        if (binned(-sorted[low])) REQUIRE(bounds->lower >= sorted[low] * 1.25L);
        if (binned(-sorted[high])) REQUIRE(sorted[high] > bounds->upper * 1.25L);
      }
    }
}

TEST_CASE("quantiles of known numbers", "[reduce][histogram]") {
  std::vector<float> x(11);
  for (int i = 0; i < 11; ++i) x[static_cast<std::size_t>(i)] = std::ldexp(1.0F, i);
  const auto h = tt::histogram(x);
  CHECK(h.quantile(0.1)->lower == 2);  // 0.1 * 10 is element 1, as numpy computes it
  CHECK(h.quantile(0.1)->upper == 2.5);
  CHECK(h.quantile(0.15)->lower == 2);  // between elements 1 and 2
  CHECK(h.quantile(0.15)->upper == 5);
  CHECK(h.quantile(1)->lower == 1024);
  const auto zeros = tt::histogram(std::vector<float>{-1, 0, -0.0F, 0, 1});
  CHECK(zeros.quantile(0.5)->lower == 0);
  CHECK(zeros.quantile(0.5)->upper == 0);
  CHECK(zeros.quantile(0)->lower == -1.25);
  CHECK(zeros.quantile(0)->upper == -1);
  CHECK(zeros.abs_quantile(0.5)->upper == 0);
  CHECK(zeros.abs_quantile(1)->lower == 1);
}

TEST_CASE("there is no quantile without finite elements", "[reduce][histogram]") {
  CHECK_FALSE(tt::histogram(std::vector<float>{}).quantile(0.5));
  CHECK_FALSE(tt::histogram(std::vector<float>{NAN, INFINITY, -INFINITY}).quantile(0.5));
  CHECK_FALSE(tt::histogram(std::vector<float>{NAN}).abs_quantile(0));
  CHECK(tt::histogram(std::vector<float>{NAN, INFINITY, 3}).quantile(1)->lower == 3);
  CHECK(tt::histogram(std::vector<float>{}).count == 0);
}

TEST_CASE("quantiles of more elements than float64 can index", "[reduce][histogram]") {
  Histogram h;
  h.count = UINT64_MAX;
  h.counts.back() = 1;
  h.counts[Histogram::zero_bin] = UINT64_MAX - 1;
  CHECK(h.quantile(0.5)->upper == 0);
  CHECK(h.quantile(1)->upper == std::numeric_limits<double>::max());
}

TEST_CASE("a histogram with inconsistent counts has some quantile", "[reduce][histogram]") {
  Histogram h;
  h.count = 5;
  CHECK(h.quantile(1)->upper == std::numeric_limits<double>::max());
  CHECK(h.abs_quantile(1)->upper == std::numeric_limits<double>::max());
}

TEST_CASE("a quantile outside [0, 1] throws", "[reduce][histogram]") {
  const auto h = tt::histogram(std::vector<float>{1});
  CHECK_THROWS_WITH(h.quantile(1.5), "histogram: quantile: it is not from 0 to 1 (1.5); use 0.5 for the median");
  CHECK_THROWS_AS(h.quantile(-0.01), tt::Error);
  CHECK_THROWS_AS(h.abs_quantile(NAN), tt::Error);
}

TEMPLATE_TEST_CASE("histograms add up, in any order", "[reduce][histogram]", float, double, std::uint64_t) {
  const auto x = all_sizes<TestType>(9001);
  const std::span<const TestType> all(x);
  const auto whole = tt::histogram(x);
  for (const std::size_t cut : {0u, 1u, 77u, 4096u, 9000u, 9001u}) {
    CAPTURE(cut);
    const auto left = tt::histogram(all.first(cut));
    const auto right = tt::histogram(all.subspan(cut));
    CHECK((merge(left, right) == whole));
    CHECK((merge(right, left) == whole));
  }
  CHECK_FALSE((tt::histogram(all.first(9000)) == whole));
  const auto other = tt::histogram(inputs::bell<tt::Half>(100));
  CHECK((merge(merge(whole, other), whole) == merge(whole, merge(whole, other))));
  CHECK(merge(whole, other).finite() == whole.finite() + 100);
}

TEST_CASE("histograms of strided views, bools and scalars", "[reduce][histogram]") {
  const auto memory = all_sizes<float>(30000);
  const std::array<std::int64_t, 2> shape = {100, 150};
  const std::array<std::int64_t, 2> strides = {-1, 200};
  const tt::TensorView view(memory.data() + 99, tt::DType::f32, shape, strides);
  std::vector<float> copy(view.size());
  tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
  CHECK((tt::histogram(view) == naive(copy)));
  const std::vector<std::int64_t> integers = all_sizes<std::int64_t>(2000);
  const std::int64_t extent = 1000, stride = 2;
  std::vector<std::int64_t> every_second;
  for (std::size_t i = 0; i < 2000; i += 2) every_second.push_back(integers[i]);
  CHECK((tt::histogram(tt::TensorView(integers.data(), tt::DType::i64, {&extent, 1}, {&stride, 1})) ==
         naive(every_second)));
  const std::array<std::uint8_t, 20> bytes = {0, 1, 1, 0, 2, 255};
  const std::int64_t twenty = 20;
  const auto truths = tt::histogram(tt::TensorView(bytes.data(), tt::DType::boolean, {&twenty, 1}));
  CHECK(truths.zeros() == 16);
  CHECK(truths.quantile(1)->lower == 1);
  CHECK(tt::histogram(-2.5).quantile(0)->upper == -2.5);
  CHECK_THROWS_WITH(tt::histogram(std::string("x")), contains("str"));
  CHECK_THROWS_AS(tt::histogram(std::vector<std::complex<float>>(2)), tt::Error);
}

#if defined(__x86_64__)
TEST_CASE("histograms do not depend on a mode that flushes subnormals", "[reduce][histogram]") {
  const std::vector<float> x = {0x1p-149F, 0x1p-130F, 0};
  std::uint32_t before = 0;
  asm volatile("stmxcsr %0" : "=m"(before));
  const std::uint32_t flushing = before | 0x8040;
  asm volatile("ldmxcsr %0" ::"m"(flushing) : "memory");
  const auto h = tt::histogram(x);
  asm volatile("ldmxcsr %0" ::"m"(before) : "memory");
  CHECK(h.zeros() == 1);
  CHECK(h.subnormals == 2);
}
#endif

// The same with g++ 12 and clang 14, at -O0, -O2, -O3 -march=native, -O3 -ffast-math and -Ofast -march=native.
TEST_CASE("histograms are those of the first release", "[reduce][histogram][bits]") {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](std::uint64_t number) { hash = (hash ^ number) * 0x100000001b3u; };
  const auto add_all = [&]<class T>() {
    for (const std::size_t n : {1u, 100u, 4097u, 20000u}) {
      const auto h = tt::histogram(all_sizes<T>(n));
      for (const std::uint64_t number : {h.count, h.nan, h.positive_inf, h.negative_inf, h.subnormals}) add(number);
      for (const std::uint64_t number : h.counts) add(number);
      for (const double q : {0.0, 0.1, 0.5, 0.75, 1.0})
        for (const auto bounds : {h.quantile(q), h.abs_quantile(q)}) {
          if (!bounds) continue;
          add(std::bit_cast<std::uint64_t>(bounds->lower));
          add(std::bit_cast<std::uint64_t>(bounds->upper));
        }
      for (const int exponent : {-200, -126, -14, 0, 7, 130}) add(h.count_below(exponent).value_or(0));
    }
  };
  add_all.operator()<tt::Half>();
  add_all.operator()<tt::BFloat16>();
  add_all.operator()<float>();
  add_all.operator()<double>();
  add_all.operator()<std::int8_t>();
  add_all.operator()<std::int64_t>();
  add_all.operator()<std::uint64_t>();
  CHECK(hash == 0x7430115664e84298);
}
