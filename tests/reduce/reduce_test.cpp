#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/product.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using R = tt::Reduction;
using tt::DType;

namespace {

/// Returns all reductions but the statistics.
tt::Reductions all_reductions() {
  tt::Reductions all;
  for (std::size_t i = 0; i < tt::reduction_count; ++i) all.insert(static_cast<R>(i));
  return all;
}

std::optional<tt::Reduced> find(const tt::ReducedSet& set, R reduction) {
  for (const tt::Reduced& r : set)
    if (r.reduction == reduction) return r;
  return std::nullopt;
}

/// Returns one reduction of `tensor`.
template <class T>
tt::Reduced one(const T& tensor, R reduction) {
  const auto set = tt::reduce(tt::as_view(tensor), tt::Reductions{reduction});
  REQUIRE(set.size() == 1);
  return *set.begin();
}

template <class T>
T element_of(const tt::Reduced& reduced) {
  REQUIRE(reduced.dtype == *tt::dtype_v<T>);
  T element;
  std::memcpy(&element, reduced.bytes.data(), sizeof element);
  return element;
}

}  // namespace

TEMPLATE_TEST_CASE("reductions of floats keep their type and are rounded once", "[reduce]", tt::Half, tt::BFloat16,
                   float, double) {
  constexpr double unit = std::is_same_v<TestType, tt::Half>       ? 0x1p-11
                          : std::is_same_v<TestType, tt::BFloat16> ? 0x1p-8
                          : std::is_same_v<TestType, float>        ? 0x1p-24
                                                                   : 1e-12;
  for (const std::size_t n : {1u, 7u, 16u, 30u, 5000u}) {
    CAPTURE(n);
    const auto x = inputs::bell<TestType>(n, 0.5, 1);
    const auto r = inputs::reference(std::span<const TestType>(x));
    const auto set = tt::reduce(tt::as_view(x), all_reductions());
    REQUIRE(set.size() == tt::reduction_count);
    const auto size = static_cast<long double>(n);
    const auto check = [&](R reduction, long double exact) {
      const auto found = find(set, reduction);
      REQUIRE(found);
      CAPTURE(to_string(reduction), found->value(), static_cast<double>(exact));
      CHECK(found->dtype == *tt::dtype_v<TestType>);
      CHECK(std::fabs(found->value() - static_cast<double>(exact)) <=
            1.001 * unit * std::fabs(static_cast<double>(exact)) + 1e-15);
    };
    check(R::min, r.min);
    check(R::max, r.max);
    check(R::mean, r.sum / size);
    check(R::variance, r.squared_deviations / size);
    check(R::std, std::sqrt(r.squared_deviations / size));
    check(R::sum, r.sum);
    check(R::l1, r.abs_sum);
    check(R::l2, std::sqrt(r.sum_squares));
    check(R::abs_min, r.abs_min);
    check(R::abs_max, r.abs_max);
    check(R::abs_mean, r.abs_sum / size);
    check(R::abs_variance, r.abs_squared_deviations / size);
    check(R::abs_std, std::sqrt(r.abs_squared_deviations / size));
    check(R::abs_sum, r.abs_sum);
    check(R::abs_l1, r.abs_sum);
    check(R::abs_l2, std::sqrt(r.sum_squares));
    if (n <= 30) {
      long double product = 1;
      for (const TestType e : x) product *= inputs::exact(e);
      if (std::fabs(static_cast<double>(product)) > 1e-4) {
        check(R::prod, product);
        check(R::abs_prod, std::fabs(product));
      }
    }
  }
}

TEMPLATE_TEST_CASE("reductions of integers", "[reduce]", std::int8_t, std::int16_t, std::int32_t, std::int64_t,
                   std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t) {
  using Wide = std::conditional_t<std::is_signed_v<TestType>, std::int64_t, std::uint64_t>;
  for (const std::size_t n : {1u, 5u, 100u, 4096u, 10000u}) {
    CAPTURE(n);
    const auto x = inputs::anything<TestType>(n);
    std::uint64_t sum = 0, abs_sum = 0, prod = 1, abs_prod = 1;
    TestType min = x[0], max = x[0];
    for (const TestType e : x) {
      const auto wide = static_cast<std::uint64_t>(e);
      const std::uint64_t size = e < 0 ? -wide : wide;
      sum += wide;
      abs_sum += size;
      prod *= wide;
      abs_prod *= size;
      min = std::min(min, e);
      max = std::max(max, e);
    }
    const auto set = tt::reduce(tt::as_view(x), all_reductions());
    REQUIRE(set.size() == tt::reduction_count);
    CHECK(element_of<TestType>(*find(set, R::min)) == min);
    CHECK(element_of<TestType>(*find(set, R::max)) == max);
    CHECK(element_of<Wide>(*find(set, R::sum)) == static_cast<Wide>(sum));
    CHECK(element_of<Wide>(*find(set, R::abs_sum)) == static_cast<Wide>(abs_sum));
    CHECK(element_of<Wide>(*find(set, R::prod)) == static_cast<Wide>(prod));
    CHECK(element_of<Wide>(*find(set, R::abs_prod)) == static_cast<Wide>(abs_prod));
    const auto s = tt::statistics(x);
    CHECK(element_of<double>(*find(set, R::mean)) == s.mean());
    CHECK(element_of<double>(*find(set, R::variance)) == s.variance());
    CHECK(element_of<double>(*find(set, R::std)) == s.std());
    CHECK(element_of<double>(*find(set, R::l1)) == s.l1());
    CHECK(element_of<double>(*find(set, R::l2)) == s.l2());
    CHECK(element_of<double>(*find(set, R::abs_mean)) == s.abs_mean());
    CHECK(element_of<double>(*find(set, R::abs_std)) == s.abs_std());
  }
}

TEST_CASE("sums and products of integers wrap around", "[reduce]") {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  CHECK(element_of<std::int64_t>(one(std::vector<std::int64_t>{largest, 1}, R::sum)) ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(element_of<std::int64_t>(one(std::vector<std::int64_t>{largest, 2}, R::prod)) == -2);
  CHECK(element_of<std::int64_t>(one(std::vector<std::int32_t>(3, 1 << 30), R::sum)) == std::int64_t{3} << 30);
  CHECK(element_of<std::uint64_t>(one(std::vector<std::uint64_t>{~std::uint64_t{0}, 3}, R::sum)) == 2);
  CHECK(element_of<std::uint64_t>(one(std::vector<std::uint8_t>(300, 255), R::sum)) == 76500);
  CHECK(element_of<std::int64_t>(one(std::vector<std::int64_t>{largest}, R::min)) == largest);
  CHECK(element_of<std::uint64_t>(one(std::vector<std::uint64_t>{~std::uint64_t{0}}, R::max)) == ~std::uint64_t{0});
}

TEST_CASE("the largest integer stands for the magnitude of the smallest one", "[reduce]") {
  const std::vector<std::int8_t> x = {-128, 5};
  CHECK(element_of<std::int8_t>(one(x, R::abs_max)) == 127);
  CHECK(element_of<std::int8_t>(one(x, R::abs_min)) == 5);
  CHECK(element_of<std::int64_t>(one(x, R::abs_sum)) == 133);
  const std::vector<std::int64_t> y = {std::numeric_limits<std::int64_t>::min()};
  CHECK(element_of<std::int64_t>(one(y, R::abs_min)) == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("bools reduce to bool, int64 and float64", "[reduce]") {
  const std::array<bool, 5> x = {true, false, true, true, false};
  CHECK(element_of<bool>(one(x, R::min)) == false);
  CHECK(element_of<bool>(one(x, R::max)) == true);
  CHECK(element_of<std::int64_t>(one(x, R::sum)) == 3);
  CHECK(element_of<std::int64_t>(one(x, R::prod)) == 0);
  CHECK(element_of<double>(one(x, R::mean)) == 0.6);
  CHECK(element_of<double>(one(x, R::l1)) == 3);
  const std::array<std::uint8_t, 3> bytes = {7, 2, 1};  // compilers store 1; other bytes are true, too
  const std::int64_t extent = 3;
  const tt::TensorView view(bytes.data(), DType::boolean, {&extent, 1});
  CHECK(tt::reduce(view, R::sum) == 3);
  CHECK(tt::reduce(view, R::max) == 1);
}

TEMPLATE_TEST_CASE("NaN propagates through every reduction", "[reduce]", tt::Half, tt::BFloat16, float, double) {
  for (const std::size_t n : {1u, 20u, 5000u})
    for (const float odd : {NAN, -NAN}) {
      auto x = inputs::bell<TestType>(n, 1);
      x[n / 2] = inputs::element<TestType>(odd);
      const auto set = tt::reduce(tt::as_view(x), all_reductions());
      REQUIRE(set.size() == tt::reduction_count);
      for (const tt::Reduced& r : set) {
        CAPTURE(to_string(r.reduction));
        CHECK(std::isnan(r.value()));
        CHECK(std::isnan(one(x, r.reduction).value()));  // also alone, which uses another kernel
      }
    }
}

TEMPLATE_TEST_CASE("infinities count", "[reduce]", tt::Half, tt::BFloat16, float, double) {
  const auto made = [](std::vector<float> values) {
    std::vector<TestType> x;
    for (const float value : values) x.push_back(inputs::element<TestType>(value));
    return x;
  };
  struct Expected {
    std::vector<float> values;
    R reduction;
    double value;
  };
  const double inf = INFINITY;
  const double nan = NAN;
  const Expected cases[] = {
      {{1, INFINITY, -2}, R::max, inf},
      {{1, INFINITY, -2}, R::min, -2},
      {{1, INFINITY, -2}, R::sum, inf},
      {{1, INFINITY, -2}, R::mean, inf},
      {{1, INFINITY, -2}, R::l1, inf},
      {{1, INFINITY, -2}, R::l2, inf},
      {{1, INFINITY, -2}, R::variance, nan},
      {{1, INFINITY, -2}, R::std, nan},
      {{1, INFINITY, -2}, R::prod, -inf},
      {{1, INFINITY, -2}, R::abs_prod, inf},
      {{1, INFINITY, -2}, R::abs_min, 1},
      {{1, INFINITY, -2}, R::abs_max, inf},
      {{1, INFINITY, -2}, R::abs_std, nan},
      {{1, -INFINITY}, R::min, -inf},
      {{1, -INFINITY}, R::max, 1},
      {{1, -INFINITY}, R::sum, -inf},
      {{1, -INFINITY}, R::mean, -inf},
      {{1, -INFINITY}, R::abs_mean, inf},
      {{1, -INFINITY}, R::abs_sum, inf},
      {{1, -INFINITY}, R::abs_max, inf},
      {{1, -INFINITY}, R::abs_l2, inf},
      {{INFINITY, -INFINITY}, R::sum, nan},
      {{INFINITY, -INFINITY}, R::mean, nan},
      {{INFINITY, -INFINITY}, R::min, -inf},
      {{INFINITY, -INFINITY}, R::max, inf},
      {{INFINITY, -INFINITY}, R::abs_min, inf},
      {{INFINITY, -INFINITY}, R::abs_sum, inf},
      {{INFINITY, INFINITY}, R::min, inf},
      {{-INFINITY, -INFINITY}, R::max, -inf},
      {{INFINITY, 0}, R::prod, nan},
  };
  for (const auto& [values, reduction, value] : cases) {
    CAPTURE(values, to_string(reduction));
    const double found = one(made(values), reduction).value();
    if (std::isnan(value))
      CHECK(std::isnan(found));
    else
      CHECK(found == value);
    const auto among_others = find(tt::reduce(tt::as_view(made(values)), all_reductions()), reduction);
    REQUIRE(among_others);
    CHECK(std::bit_cast<std::uint64_t>(among_others->value()) == std::bit_cast<std::uint64_t>(found));
  }
}

TEST_CASE("a reduction does not depend on the others in the same call", "[reduce]") {
  const auto check = [](const tt::TensorView& view) {
    for (const tt::Reduced& r : tt::reduce(view, all_reductions())) {
      const auto alone = tt::reduce(view, tt::Reductions{r.reduction});
      CAPTURE(to_string(r.reduction));
      REQUIRE(alone.size() == 1);
      CHECK(alone.begin()->bytes == r.bytes);
      const auto two = tt::reduce(view, tt::Reductions{R::max, r.reduction});
      CHECK(find(two, r.reduction)->bytes == r.bytes);
    }
  };
  check(tt::as_view(inputs::bell<float>(10000, 1e4)));
  check(tt::as_view(inputs::bell<double>(10000, 0.1)));
  check(tt::as_view(inputs::bell<double>(100, 1e6)));
  check(tt::as_view(inputs::anything<std::int64_t>(5000)));
}

TEST_CASE("an empty tensor has no extremes, sum 0, prod 1, and means that are NaN", "[reduce]") {
  const auto check = [](const tt::TensorView& view) {
    const auto set = tt::reduce(view, all_reductions());
    CHECK(set.size() == tt::reduction_count - 4);
    for (const R r : {R::min, R::max, R::abs_min, R::abs_max}) {
      CHECK_FALSE(find(set, r));
      CHECK_FALSE(tt::reduce(view, r));
    }
    for (const R r : {R::mean, R::std, R::variance, R::abs_mean, R::abs_std, R::abs_variance})
      CHECK(std::isnan(find(set, r)->value()));
    for (const R r : {R::sum, R::l1, R::l2, R::abs_sum, R::abs_l1, R::abs_l2}) CHECK(find(set, r)->value() == 0);
    CHECK(find(set, R::prod)->value() == 1);
    CHECK(find(set, R::abs_prod)->value() == 1);
  };
  check(tt::as_view(std::vector<float>{}));
  check(tt::as_view(std::vector<double>{}));
  check(tt::as_view(std::vector<std::int32_t>{}));
  check(tt::as_view(std::vector<std::uint8_t>{}));
  const std::array<std::int64_t, 3> shape = {4, 0, 2};
  check(tt::TensorView(nullptr, DType::f16, shape));
  CHECK(tt::l2(std::vector<float>{}) == 0);
}

TEST_CASE("min and max return the bits of an element", "[reduce]") {
  const float quiet = std::bit_cast<float>(0x00000001u);  // a subnormal
  CHECK(std::bit_cast<std::uint32_t>(element_of<float>(one(std::vector<float>{1, quiet}, R::min))) == 1);
  for (const float first : {0.0F, -0.0F}) {
    const std::vector<float> x = {first, -first, first};
    CHECK(std::bit_cast<std::uint32_t>(element_of<float>(one(x, R::min))) == 0x80000000u);
    CHECK(std::bit_cast<std::uint32_t>(element_of<float>(one(x, R::max))) == 0);
    const std::vector<double> y(x.begin(), x.end());
    CHECK(std::bit_cast<std::uint64_t>(element_of<double>(one(y, R::min))) == std::uint64_t{1} << 63);
    CHECK(std::bit_cast<std::uint64_t>(element_of<double>(one(y, R::max))) == 0);
  }
  for (std::uint32_t bits = 0; bits < 0x10000; bits += 7) {  // each alone
    const std::vector<tt::Half> half = {tt::Half::from_bits(static_cast<std::uint16_t>(bits))};
    const std::vector<tt::BFloat16> bfloat = {tt::BFloat16::from_bits(static_cast<std::uint16_t>(bits))};
    if (!std::isnan(static_cast<float>(half[0]))) {
      REQUIRE(element_of<tt::Half>(one(half, R::min)).bits == bits);
      REQUIRE(element_of<tt::Half>(one(half, R::max)).bits == bits);
      REQUIRE(element_of<tt::Half>(one(half, R::abs_max)).bits == (bits & 0x7fff));
    }
    if (!std::isnan(static_cast<float>(bfloat[0]))) {
      REQUIRE(element_of<tt::BFloat16>(one(bfloat, R::min)).bits == bits);
      REQUIRE(element_of<tt::BFloat16>(one(bfloat, R::abs_min)).bits == (bits & 0x7fff));
    }
  }
}

TEST_CASE("a product overflows only if its value does", "[reduce]") {
  std::vector<float> x(3000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 0x1p100F : 0x1p-100F;
  CHECK(one(x, R::prod).value() == 1);
  std::sort(x.begin(), x.end());  // all small ones first
  CHECK(one(x, R::prod).value() == 1);
  x[17] = -x[17];
  x.push_back(3);
  CHECK(one(x, R::prod).value() == -3);
  CHECK(one(x, R::abs_prod).value() == 3);
  CHECK(one(std::vector<float>(3, 1e20F), R::prod).value() == INFINITY);
  CHECK(one(std::vector<float>(3, -1e20F), R::prod).value() == -INFINITY);
  CHECK(one(std::vector<float>(3, 1e-20F), R::prod).value() == 0);
  CHECK(std::signbit(one(std::vector<float>{-1, 0, 2}, R::prod).value()));
  CHECK_FALSE(std::signbit(one(std::vector<float>{-1, -0.0F, 2}, R::prod).value()));
  CHECK(one(std::vector<double>{0x1p-1074, 0x1p1000, 0x1p74}, R::prod).value() == 1);
  CHECK(one(std::vector<double>{0x1.8p-1060, 3, 0.25}, R::prod).value() == 0x1.2p-1060);
  CHECK(one(std::vector<float>{0x1p-149F, 0x1p100F, 0x1p49F}, R::prod).value() == 1);
  CHECK(one(std::vector<double>(20000, -1.0), R::prod).value() == 1);
  CHECK(one(std::vector<double>(20001, -1.0), R::prod).value() == -1);
  CHECK(one(std::vector<double>(5000, 2.0), R::prod).value() == INFINITY);
}

TEST_CASE("a product has the same bits with and without subnormals in its block", "[reduce]") {
  auto x = inputs::bell<double>(5000, 0, 1);
  const auto usual = tt::detail::product_of(tt::as_view(x));
  x[100] *= 0x1p-500;
  x[116] *= 0x1p-500;  // the same lane
  CHECK(tt::detail::product_of(tt::as_view(x)).mantissa == usual.mantissa);
  CHECK(tt::detail::product_of(tt::as_view(x)).exponent == usual.exponent - 1000);
  x = inputs::bell<double>(5000, 0, 1);
  x[100] = 0x1p-1074;
  x[116] = 4;
  auto y = x;
  y[100] = 1;
  CHECK(tt::detail::product_of(tt::as_view(x)).mantissa == tt::detail::product_of(tt::as_view(y)).mantissa);
  CHECK(tt::detail::product_of(tt::as_view(x)).exponent == tt::detail::product_of(tt::as_view(y)).exponent - 1074);
}

TEST_CASE("norms are vector norms for every rank", "[reduce]") {
  const std::vector<float> x = {3, -4, 12, 0, 0, 84};
  const std::array<std::int64_t, 3> shapes[] = {{6, 1, 1}, {2, 3, 1}, {1, 3, 2}};
  for (const auto& shape : shapes) {
    const tt::TensorView view(x.data(), DType::f32, shape);
    CHECK(tt::reduce(view, R::l1) == 103);
    CHECK(tt::reduce(view, R::l2) == 85);
  }
  CHECK(tt::reduce(tt::TensorView(x.data(), DType::f32, {}), R::l2) == 3);  // rank 0
  CHECK(tt::l2(x) == 85);
  CHECK(tt::l2(std::vector<std::int16_t>{3, 4}) == 5);
  CHECK(tt::l2(-2.5) == 2.5);
  CHECK(std::isnan(tt::l2(std::vector<float>{1, NAN})));
  CHECK(tt::l2(std::vector<float>{1, -INFINITY}) == INFINITY);
}

TEST_CASE("reductions come in the order of storage and are tensors of shape [1]", "[reduce]") {
  const std::vector<float> x = {1, 2};
  const tt::Reductions wanted = {R::abs_l2, R::l1, R::mean, R::abs_min, R::min};
  const auto set = tt::reduce(tt::as_view(x), wanted);
  CHECK(std::equal(set.begin(), set.end(), wanted.begin(), wanted.end(),
                   [](const tt::Reduced& a, R b) { return a.reduction == b; }));
  const tt::TensorView view = tt::as_view(*set.begin());
  CHECK(view.rank() == 1);
  CHECK(view.size() == 1);
  CHECK(view.dtype() == DType::f32);
  CHECK(view.data() == set.begin()->bytes.data());
  CHECK_FALSE(set.statistics);
  CHECK(tt::reduce(tt::as_view(x), tt::Reductions{}).empty());
}

TEST_CASE("the statistics come from the same pass", "[reduce]") {
  const auto x = inputs::bell<float>(5000, 2);
  const auto set = tt::reduce(tt::as_view(x), {R::min, R::statistics});
  CHECK(set.size() == 1);
  REQUIRE(set.statistics);
  CHECK(set.statistics->to_record() == tt::statistics(x).to_record());
  CHECK_FALSE(tt::reduce(tt::as_view(x), R::statistics));
  const auto empty = tt::reduce(tt::as_view(std::vector<int>{}), tt::Reductions{R::statistics});
  REQUIRE(empty.statistics);
  CHECK(empty.statistics->count == 0);
}

TEST_CASE("complex numbers and strings cannot be reduced", "[reduce]") {
  const std::vector<std::complex<double>> x(4);
  CHECK(tt::reduce(tt::as_view(x), all_reductions()).empty());
  CHECK_FALSE(tt::reduce(tt::as_view(x), tt::Reductions{R::statistics}).statistics);
  CHECK_FALSE(tt::reduce(tt::as_view(x), R::l2));
  const std::vector<std::string> text = {"a", "b"};
  CHECK(tt::reduce(tt::as_view(text), all_reductions()).empty());
  CHECK_THROWS_AS(tt::l2(x), tt::Error);
}

TEST_CASE("strided views reduce like their copies", "[reduce]") {
  const auto check = []<class T>(T) {
    std::vector<T> memory(9000);
    inputs::Random random(3);
    for (T& e : memory) e = inputs::element<T>(random.uniform() * 100);
    const std::array<std::int64_t, 2> shape = {90, 50};
    const std::array<std::int64_t, 2> strides = {-1, 180};
    const tt::TensorView view(memory.data() + 89, *tt::dtype_v<T>, shape, strides);
    std::vector<T> copy(4500);
    tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
    const auto of_view = tt::reduce(view, all_reductions());
    const auto of_copy = tt::reduce(tt::as_view(copy), all_reductions());
    REQUIRE(of_view.size() == of_copy.size());
    for (std::size_t i = 0; i < of_view.size(); ++i) CHECK(of_view.begin()[i].bytes == of_copy.begin()[i].bytes);
  };
  check(float{});
  check(double{});
  check(tt::Half{});
  check(tt::BFloat16{});
  check(std::int8_t{});
  check(std::int64_t{});
}

TEST_CASE("numbers are rounded once to 16 bits", "[reduce]") {
  // Just above the middle between two neighbours, by less than a float resolves: rounding twice would go to even.
  const double above = 1 + 0x1p-11 + 0x1p-40;
  CHECK(tt::detail::narrowed(above, DType::f16) == 0x3c01);
  CHECK(tt::detail::narrowed(1 + 0x1p-11, DType::f16) == 0x3c00);
  CHECK(tt::detail::narrowed(1 + 0x1p-11 - 0x1p-40, DType::f16) == 0x3c00);
  CHECK(tt::detail::narrowed(-(1 + 0x1p-8 + 0x1p-45), DType::bf16) == 0xbf81);
  CHECK(tt::detail::narrowed(1 + 0x1p-7 + 0x1p-8 - 0x1p-45, DType::bf16) == 0x3f81);
  CHECK(tt::detail::narrowed(65519.99999999, DType::f16) == 0x7bff);
  CHECK(tt::detail::narrowed(65520, DType::f16) == 0x7c00);
  CHECK(tt::detail::narrowed(1e300, DType::f16) == 0x7c00);
  CHECK(tt::detail::narrowed(-1e300, DType::bf16) == 0xff80);
  CHECK(tt::detail::narrowed(1e300, DType::f32) == 0x7f800000);
  CHECK(tt::detail::narrowed(0x1p-25, DType::f16) == 0);
  CHECK(tt::detail::narrowed(0x1.000001p-25, DType::f16) == 1);
  CHECK(tt::detail::narrowed(1e-300, DType::f16) == 0);
  CHECK(tt::detail::narrowed(-1e-300, DType::bf16) == 0x8000);
  CHECK(tt::detail::narrowed(0x1p-1074, DType::f64) == 1);
  // Against the two neighbours, for doubles all over the range.
  inputs::Random random(9);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::ldexp(1 + std::fabs(random.uniform()) + random.uniform() * 0x1p-30,
                                    static_cast<int>(random.bits() % 36) - 26);
    const auto bits = static_cast<std::uint16_t>(tt::detail::narrowed(value, DType::f16));
    const auto distance = [&](int delta) {
      const auto half = tt::Half::from_bits(static_cast<std::uint16_t>(bits + delta));
      return std::fabs(static_cast<double>(static_cast<float>(half)) - value);
    };
    if (bits == 0 || bits >= 0x7c00) continue;
    REQUIRE(distance(0) <= distance(-1));
    REQUIRE(distance(0) <= (bits == 0x7bff ? 16 : distance(1)));
    if (distance(0) == distance(-1)) REQUIRE(bits % 2 == 0);
  }
}

TEST_CASE("the branchless widening of binary16 is the conversion of Half", "[reduce]") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = tt::Half::from_bits(static_cast<std::uint16_t>(bits));
    REQUIRE(tt::detail::widened(half.bits) == std::bit_cast<std::uint32_t>(static_cast<float>(half)));
  }
}
