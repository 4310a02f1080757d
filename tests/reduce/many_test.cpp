#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/many.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using tt::detail::bits_of;

namespace {

const float infinite = std::numeric_limits<float>::infinity();
const float not_a_float = std::numeric_limits<float>::quiet_NaN();

/// Makes tensors of many sizes, like those of a model.
std::vector<std::vector<float>> model(std::size_t tensors) {
  std::vector<std::vector<float>> out;
  for (std::size_t i = 0; i < tensors; ++i) out.push_back(inputs::bell<float>(i % 7 == 3 ? 9000 + i : i % 40, 0.125));
  return out;
}

template <class T>
std::vector<tt::TensorView> views_of(const std::vector<T>& tensors) {
  std::vector<tt::TensorView> out;
  for (const T& tensor : tensors) out.push_back(tt::as_view(tensor));
  return out;
}

template <class T>
std::vector<tt::WritableView> writable(std::vector<T>& tensors) {
  std::vector<tt::WritableView> out;
  for (T& tensor : tensors) out.emplace_back(tensor);
  return out;
}

/// Makes a tensor of two rows of every second of eight floats.
struct Columns {
  std::vector<float>* memory;
  friend tt::TensorView tensortap_view(const Columns& c) {
    const std::array<std::int64_t, 2> shape = {2, 2}, strides = {4, 2};
    return {c.memory->data(), tt::DType::f32, shape, strides};
  }
};

/// A tensor of floats with any strides.
struct Strided {
  float* data;
  std::vector<std::int64_t> shape, strides;
  friend tt::TensorView tensortap_view(const Strided& s) { return {s.data, tt::DType::f32, s.shape, s.strides}; }
};

long double exact_norm(const std::vector<std::vector<float>>& tensors) {
  long double sum = 0;
  for (const auto& tensor : tensors)
    for (const float x : tensor) sum += static_cast<long double>(x) * x;
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("the norm of many tensors is that of all their elements", "[reduce][many]") {
  for (const std::size_t n : {0u, 1u, 2u, 5u, 17u, 300u, 5000u}) {
    CAPTURE(n);
    const auto tensors = model(n);
    const double norm = tt::global_norm(views_of(tensors));
    const long double exact = exact_norm(tensors);
    CHECK(std::abs(static_cast<long double>(norm) - exact) <= 1e-13L * exact);
  }
}

TEST_CASE("one tensor has its own norm", "[reduce][many]") {
  for (const std::size_t n : {0u, 1u, 3u, 16u, 4096u, 4097u, 20000u}) {
    const std::vector<std::vector<double>> tensors = {inputs::bell<double>(n)};
    CHECK(bits_of(tt::global_norm(views_of(tensors))) == bits_of(tt::l2(tensors[0])));
  }
}

TEST_CASE("tensors of all types and strides have a norm", "[reduce][many]") {
  const std::vector<tt::Half> half = {tt::Half(3)};
  const std::vector<std::int64_t> whole = {-4};
  const std::vector<double> memory = {12, 99, 99, 0};
  const std::array<std::int64_t, 1> shape = {2}, stride = {3};
  const std::vector<tt::TensorView> views = {tt::as_view(half), tt::as_view(whole),
                                             tt::TensorView(memory.data(), tt::DType::f64, shape, stride)};
  CHECK(tt::global_norm(views) == 13);
  const std::vector<std::string> text = {"text"};
  CHECK_THROWS_AS(tt::global_norm(views_of(text)), tt::Error);
}

TEST_CASE("NaN and infinities reach the norm of many tensors", "[reduce][many]") {
  auto tensors = model(50);
  tensors[20][7] = -infinite;
  CHECK(tt::global_norm(views_of(tensors)) == static_cast<double>(infinite));
  tensors[30][2] = not_a_float;
  CHECK(std::isnan(tt::global_norm(views_of(tensors))));
  const std::vector<std::vector<double>> large = {{1e200}, {1}};
  CHECK(tt::global_norm(views_of(large)) == static_cast<double>(infinite));  // its square overflows
}

TEST_CASE("sums of squares of pieces add up to those of the tensor", "[reduce][many]") {
  const auto whole = inputs::bell<float>(3 * 4096 + 100, 1);
  const std::span<const float> all(whole);
  const std::vector<tt::TensorView> pieces = {tt::as_view(all.first(2 * 4096)),
                                              tt::as_view(all.subspan(2 * 4096, 4096)),
                                              tt::as_view(all.subspan(3 * 4096)), tt::as_view(all.first(0))};
  for (const int threads : {1, 3}) {
    const std::vector<double> sums = tt::sums_of_squares(pieces, {.threads = threads});
    REQUIRE(sums.size() == 4);
    CHECK(bits_of(std::sqrt(sums[0] + (sums[1] + sums[2]))) == bits_of(tt::l2(whole)));
    CHECK(sums[3] == 0);
  }
  std::vector<float> odd(20'000, 1.0f);
  odd[9000] = infinite;
  CHECK(tt::sums_of_squares(std::vector{tt::as_view(odd)}) == std::vector<double>{infinite});
  odd[17] = not_a_float;
  CHECK(std::isnan(tt::sums_of_squares(std::vector{tt::as_view(odd)})[0]));
  const std::vector<std::complex<float>> complex(3);
  CHECK_THROWS_WITH(tt::sums_of_squares(std::vector{tt::as_view(complex)}), contains("real numbers"));
}

TEST_CASE("the statistics of many tensors", "[reduce][many]") {
  auto tensors = model(60);
  tensors[45][3] = not_a_float;
  tensors[50][5] = 1000;
  std::vector<float> all;
  for (const auto& tensor : tensors) all.insert(all.end(), tensor.begin(), tensor.end());
  const auto of_all = tt::statistics(all);
  for (const int threads : {1, 4}) {
    const auto s = tt::statistics(std::span<const tt::TensorView>(views_of(tensors)), {.threads = threads});
    CHECK(s.count == of_all.count);
    CHECK(s.nan == 1);
    CHECK(s.first_non_finite == of_all.first_non_finite);
    CHECK(s.abs_max_index == of_all.abs_max_index);
    CHECK(s.min == of_all.min);
    CHECK(s.max == 1000);
    CHECK(s.sum == Approx(of_all.sum).epsilon(1e-12));
    CHECK(s.variance() == Approx(of_all.variance()).epsilon(1e-12));
  }
  CHECK(tt::statistics(std::span<const tt::TensorView>{}).count == 0);
}

TEMPLATE_TEST_CASE("gradients are clipped to a norm", "[reduce][many]", tt::Half, tt::BFloat16, float, double) {
  std::vector<std::vector<TestType>> tensors;
  for (const std::size_t n : {1u, 3u, 100u, 5001u}) tensors.push_back(inputs::bell<TestType>(n));
  const auto before = tensors;
  const double norm = tt::global_norm(views_of(tensors));

  CHECK(tt::clip_grad_norm(writable(tensors), norm * 2) == norm);
  bool same = true;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    for (std::size_t i = 0; i < tensors[t].size(); ++i)
      same = same && inputs::exact(tensors[t][i]) == inputs::exact(before[t][i]);
  CHECK(same);

  CHECK(tt::clip_grad_norm(writable(tensors), 2.5) == norm);
  const double precision = sizeof(TestType) == 2 ? 1e-2 : sizeof(TestType) == 4 ? 1e-6 : 1e-14;
  CHECK(tt::global_norm(views_of(tensors)) == Approx(2.5).epsilon(precision));
  bool right = true;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    for (std::size_t i = 0; i < tensors[t].size(); ++i) {
      const auto exact = static_cast<double>(inputs::exact(before[t][i])) * (2.5 / norm);
      const auto bits = tt::detail::narrowed(exact, *tt::dtype_v<TestType>);
      right = right && std::memcmp(&tensors[t][i], &bits, sizeof(TestType)) == 0;
    }
  CHECK(right);
  CHECK(tt::clip_grad_norm(writable(tensors), 0) > 0);
  CHECK(tt::global_norm(views_of(tensors)) == 0);
}

TEST_CASE("tensors without a finite norm are not clipped", "[reduce][many]") {
  std::vector<std::vector<float>> tensors = {{1, 2}, {infinite}};
  CHECK(tt::clip_grad_norm(writable(tensors), 1) == static_cast<double>(infinite));
  CHECK(tensors[0][1] == 2);
  tensors[1][0] = not_a_float;
  CHECK(std::isnan(tt::clip_grad_norm(writable(tensors), 1)));
  CHECK(tensors[0][1] == 2);
}

TEST_CASE("clipping follows the strides", "[reduce][many]") {
  std::vector<float> memory = {3, 50, 4, 50, 0, 50, 0, 50};
  Columns columns{&memory};
  const std::vector<tt::WritableView> views = {tt::WritableView(columns)};
  CHECK(tt::clip_grad_norm(views, 2.5) == 5);
  CHECK(memory == std::vector<float>{1.5, 50, 2, 50, 0, 50, 0, 50});
}

TEST_CASE("clipping throws for invalid norms and types", "[reduce][many]") {
  std::vector<std::vector<std::int32_t>> whole = {{1}};
  CHECK_THROWS_WITH(tt::clip_grad_norm(writable(whole), 1), contains("int32") && contains("floating"));
  std::vector<std::vector<float>> tensors = {{1}};
  CHECK_THROWS_WITH(tt::clip_grad_norm(writable(tensors), -1), contains("max_norm"));
  CHECK_THROWS_AS(tt::clip_grad_norm(writable(tensors), std::nan("")), tt::Error);
}

TEST_CASE("elements that share memory are not clipped", "[reduce][many]") {
  std::vector<float> memory(24, 1);
  const std::vector<float> before = memory;
  const auto refused = [&](std::vector<Strided> tensors, const std::string& which) {
    CHECK_THROWS_WITH(tt::clip_grad_norm(writable(tensors), 0.5), contains("clip_grad_norm: " + which));
    CHECK(memory == before);
  };
  float* const m = memory.data();
  refused({{m, {4}, {0}}}, "tensor 0: two of its elements share memory");
  refused({{m, {4, 2}, {1, 1}}}, "tensor 0: two");
  refused({{m + 8, {2, 2, 3}, {-4, 1, 2}}}, "tensor 0: two");  // 1 + 2 - 1 = 2
  refused({{m, {4}, {1}}, {m + 20, {4}, {1}}, {m, {3}, {1}}}, "tensors 0 and 2: elements of both");
  refused({{m + 10, {4}, {1}}, {m, {11}, {1}}}, "tensors 1 and 0");
  refused({{m, {2, 2}, {6, 4}}, {m + 10, {1}, {1}}}, "tensors 0 and 1");

  const auto clipped = [&](std::vector<Strided> tensors, std::size_t elements) {
    std::fill(memory.begin(), memory.end(), 1.0F);
    CHECK(tt::clip_grad_norm(writable(tensors), std::sqrt(static_cast<double>(elements)) / 2) > 0);
    CHECK(static_cast<std::size_t>(std::count(memory.begin(), memory.end(), 0.5F)) == elements);
  };
  clipped({{m, {2, 2}, {3, 2}}}, 4);                            // 0, 2, 3, 5
  clipped({{m, {12}, {2}}, {m + 1, {12}, {2}}}, 24);            // every second, and the others
  clipped({{m, {4, 3}, {6, 1}}, {m + 3, {4, 3}, {6, 1}}}, 24);  // the left and the right half of a matrix
  clipped({{m + 23, {6}, {-1}}, {m, {3, 1, 2}, {1, 0, 3}}, {m, {0}, {0}}}, 12);
}

TEST_CASE("a tensor that is given twice is clipped once", "[reduce][many]") {
  std::vector<float> gradient = {3, 4};
  std::vector<tt::WritableView> views;
  for (int i = 0; i < 2; ++i) views.emplace_back(gradient);
  const double norm = tt::clip_grad_norm(views, 1);
  CHECK(norm == Approx(std::sqrt(50)));
  CHECK(gradient[0] == Approx(3 / norm));
  CHECK(tt::clip_grad_norm(views, 2) == Approx(1));
}
