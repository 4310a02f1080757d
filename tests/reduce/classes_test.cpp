#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/reduce/classes.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;

namespace {

using ClassCounts = std::optional<std::vector<std::int64_t>>;

template <class T>
ClassCounts counted(const std::vector<T>& elements, std::vector<std::int64_t> shape = {}) {
  if (shape.empty()) shape = {static_cast<std::int64_t>(elements.size())};
  return tt::class_counts(tt::TensorView(elements.data(), *tt::dtype_v<T>, shape));
}

}  // namespace

TEMPLATE_TEST_CASE("whole numbers are classes", "[reduce][classes]", tt::Half, tt::BFloat16, float, double, std::int8_t,
                   std::int32_t, std::int64_t, std::uint8_t, std::uint64_t) {
  inputs::Random random(3);
  std::vector<TestType> labels;
  std::vector<std::int64_t> expected(11);
  for (int i = 0; i < 9000; ++i) {
    const auto label = random.bits() % 11;
    labels.push_back(inputs::element<TestType>(static_cast<double>(label)));
    ++expected[label];
  }
  CHECK(counted(labels) == expected);
  CHECK(counted(labels, {9000, 1}) == expected);
  CHECK(counted(labels, {9, 10, 100}) == expected);
}

TEST_CASE("what is no class", "[reduce][classes]") {
  CHECK_FALSE(counted(std::vector<float>{0, 1, 0.5F}));
  CHECK_FALSE(counted(std::vector<float>{0, 1, -1}));
  CHECK_FALSE(counted(std::vector<float>{0, std::nanf("")}));
  CHECK_FALSE(counted(std::vector<double>{0, std::numeric_limits<double>::infinity()}));
  CHECK_FALSE(counted(std::vector<std::int32_t>{0, 4096}));
  CHECK(counted(std::vector<std::int32_t>{0, 4095})->size() == 4096);
  CHECK_FALSE(counted(std::vector<std::uint64_t>{0, std::numeric_limits<std::uint64_t>::max()}));
  CHECK_FALSE(counted(std::vector<float>{}));
  CHECK_FALSE(tt::class_counts(std::vector<std::complex<float>>(3)));
  CHECK_FALSE(tt::class_counts(std::string("words")));
  CHECK_FALSE(counted(std::vector<float>(2 * 5000), {2, 5000}));
  CHECK_FALSE(counted(std::vector<float>(2 * 3 * 2, 0.5F), {2, 3, 2}));
  CHECK(counted(std::vector<std::int64_t>{-100, 2, -1, 2}) == std::vector<std::int64_t>{0, 0, 2});
}

TEST_CASE("the class of a row is that of its largest element", "[reduce][classes]") {
  const float nan = std::nanf("");
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> scores = {-3, -1, -2, 5, 5, 1, nan, 9, 0, 0, nan, 9, -inf, -inf, -inf, 0, 1, inf};
  CHECK(counted(scores, {6, 3}) == std::vector<std::int64_t>{2, 1, 1});
  CHECK(counted(std::vector<float>{0, 1, 1, 0, 0, 1}, {3, 2}) == std::vector<std::int64_t>{1, 2});

  std::vector<float> many(3000 * 7);  // rows that lie in two blocks
  std::vector<std::int64_t> expected(7);
  inputs::Random random(8);
  for (std::size_t row = 0; row < 3000; ++row) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < 7; ++i) {
      many[row * 7 + i] = static_cast<float>(random.uniform());
      if (many[row * 7 + i] > many[row * 7 + best]) best = i;
    }
    ++expected[best];
  }
  CHECK(counted(many, {3000, 7}) == expected);
}

TEST_CASE("a table of integers has a 1 in each row, or is one class after the other", "[reduce][classes]") {
  CHECK(counted(std::vector<std::int32_t>{0, 0, 1, 1, 0, 0}, {2, 3}) == std::vector<std::int64_t>{1, 0, 1});
  CHECK(counted(std::vector<std::int32_t>{0, 0, 1, 1, 0, 1}, {2, 3}) == std::vector<std::int64_t>{3, 3});
  CHECK(counted(std::vector<std::int32_t>{0, 0, 1, 2, 0, 0}, {2, 3}) == std::vector<std::int64_t>{4, 1, 1});
}
