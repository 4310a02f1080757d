#include "spot_training/gemm.hpp"

#include <cstddef>
#include <vector>

#include "catch.hpp"
#include "spot_training/random.hpp"

namespace spot_training {
namespace {

std::vector<float> random_numbers(std::size_t count, Random& random) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = random.uniform(1.0f);
  return numbers;
}

/// Compares c += a * b with three plain loops, for each of the four ways to transpose a and b.
void compare_with_loops(std::size_t rows, std::size_t depth, std::size_t columns) {
  Random random(rows * 10'000 + depth * 100 + columns);
  const std::vector<float> a_numbers = random_numbers(rows * depth, random),
                           b_numbers = random_numbers(depth * columns, random);
  const std::vector<float> c_numbers = random_numbers(rows * columns, random);
  using In = Matrix<const float>;
  for (const In& a : {In(a_numbers.data(), rows, depth), In(a_numbers.data(), depth, rows).transposed()})
    for (const In& b : {In(b_numbers.data(), depth, columns), In(b_numbers.data(), columns, depth).transposed()}) {
      std::vector<float> result = c_numbers;
      add_product({result.data(), rows, columns}, a, b);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) {
          double expected = c_numbers[i * columns + j];
          for (std::size_t k = 0; k < depth; ++k) expected += static_cast<double>(a(i, k)) * b(k, j);
          REQUIRE(result[i * columns + j] == Approx(expected).margin(1e-6 * static_cast<double>(depth + 1)));
        }
    }
}

TEST_CASE("add_product: agrees with plain loops for sizes around the tile", "[examples][gemm]") {
  for (const std::size_t rows : {1u, 3u, 4u, 5u, 8u, 9u})
    for (const std::size_t depth : {1u, 2u, 7u, 33u})
      for (const std::size_t columns : {1u, 7u, 8u, 9u, 16u, 23u}) compare_with_loops(rows, depth, columns);
}

TEST_CASE("add_product: an empty product changes nothing", "[examples][gemm]") {
  std::vector<float> c = {1, 2, 3, 4, 5, 6};
  add_product({c.data(), 2, 3}, {nullptr, 2, 0}, {nullptr, 0, 3});
  REQUIRE(c == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("add_product: an element does not depend on its tile", "[examples][gemm]") {
  Random random(1);
  const std::size_t depth = 50, columns = 11;
  const std::vector<float> a = random_numbers(5 * depth, random), b = random_numbers(depth * columns, random);
  std::vector<float> together(5 * columns, 0.0f), alone(columns, 0.0f);
  add_product({together.data(), 5, columns}, {a.data(), 5, depth}, {b.data(), depth, columns});
  for (std::size_t row = 0; row < 5; ++row) {
    alone.assign(columns, 0.0f);
    add_product({alone.data(), 1, columns}, {a.data() + row * depth, 1, depth}, {b.data(), depth, columns});
    REQUIRE(alone == std::vector<float>(together.begin() + static_cast<std::ptrdiff_t>(row * columns),
                                        together.begin() + static_cast<std::ptrdiff_t>((row + 1) * columns)));
  }
}

}  // namespace
}  // namespace spot_training
