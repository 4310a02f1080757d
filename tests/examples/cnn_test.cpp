#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "catch.hpp"
#include "spot_training/convolution.hpp"
#include "spot_training/dense.hpp"
#include "spot_training/max_pool.hpp"
#include "spot_training/relu.hpp"
#include "spot_training/softmax_cross_entropy.hpp"

namespace spot_training {
namespace {

template <std::size_t Rank>
Tensor<Rank> random_tensor(const std::array<std::size_t, Rank>& shape, Random& random) {
  Tensor<Rank> result(shape);
  for (float& number : result) number = random.uniform(1.0f);
  return result;
}

/// Returns the scalar product in float64: a loss for any output, whose gradient by the output is `factors`.
template <std::size_t Rank>
double product(const Tensor<Rank>& output, const Tensor<Rank>& factors) {
  REQUIRE(output.shape() == factors.shape());
  return std::inner_product(output.begin(), output.end(), factors.begin(), 0.0, std::plus<>(),
                            [](double a, double b) { return a * b; });
}

/// Compares `gradient` with central differences of `loss()`, number by number.
template <std::size_t Rank, class Loss>
void check_gradient(Tensor<Rank>& numbers, const Tensor<Rank>& gradient, float step, const Loss& loss) {
  REQUIRE(numbers.shape() == gradient.shape());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    float& number = numbers.data()[i];
    const float before = number;
    number = before + step;
    const double above = loss();
    number = before - step;
    const double below = loss();
    number = before;
    REQUIRE(gradient.data()[i] ==
            Approx((above - below) / (2.0 * static_cast<double>(step))).margin(1e-4).epsilon(1e-4));
  }
}

TEST_CASE("Convolution: agrees with its definition", "[examples][cnn]") {
  Random random(1);
  Convolution layer(2, 3, 3);
  layer.weight = random_tensor<4>({3, 2, 3, 3}, random);
  layer.bias = random_tensor<1>({3}, random);
  const Tensor<4> input = random_tensor<4>({2, 2, 5, 6}, random);
  const Tensor<4> output = layer.forward(input);
  REQUIRE(output.shape() == std::array<std::size_t, 4>{2, 3, 3, 4});
  for (std::size_t image = 0; image < 2; ++image)
    for (std::size_t channel = 0; channel < 3; ++channel)
      for (std::size_t y = 0; y < 3; ++y)
        for (std::size_t x = 0; x < 4; ++x) {
          double expected = layer.bias(channel);
          for (std::size_t from = 0; from < 2; ++from)
            for (std::size_t i = 0; i < 3; ++i)
              for (std::size_t j = 0; j < 3; ++j)
                expected += static_cast<double>(layer.weight(channel, from, i, j)) * input(image, from, y + i, x + j);
          REQUIRE(output(image, channel, y, x) == Approx(expected).margin(1e-5));
        }
}

TEST_CASE("Convolution: gradients", "[examples][cnn]") {
  Random random(2);
  Convolution layer(2, 3, 3), gradient(2, 3, 3);
  layer.weight = random_tensor<4>({3, 2, 3, 3}, random);
  Tensor<4> input = random_tensor<4>({2, 2, 5, 6}, random);
  const Tensor<4> factors = random_tensor<4>({2, 3, 3, 4}, random);
  const auto loss = [&] { return product(layer.forward(input), factors); };
  layer.backward(input, factors, gradient);
  check_gradient(layer.weight, gradient.weight, 0.5f, loss);
  check_gradient(layer.bias, gradient.bias, 0.5f, loss);
  check_gradient(input, layer.input_gradient(factors), 0.5f, loss);
}

TEST_CASE("Dense: gradients", "[examples][cnn]") {
  Random random(3);
  Dense layer(7, 5), gradient(7, 5);
  layer.weight = random_tensor<2>({7, 5}, random);
  Tensor<2> input = random_tensor<2>({3, 7}, random);
  const Tensor<2> factors = random_tensor<2>({3, 5}, random);
  const auto loss = [&] { return product(layer.forward(input), factors); };
  layer.backward(input, factors, gradient);
  check_gradient(layer.weight, gradient.weight, 0.5f, loss);
  check_gradient(layer.bias, gradient.bias, 0.5f, loss);
  check_gradient(input, layer.input_gradient(factors), 0.5f, loss);
}

TEST_CASE("relu: gradient on both sides of zero", "[examples][cnn]") {
  Random random(4);
  Tensor<2> input = {{-2, -1, 1}, {2, 0.5f, -0.5f}};
  const Tensor<2> factors = random_tensor<2>({2, 3}, random);
  REQUIRE((relu(input) == Tensor<2>{{0, 0, 1}, {2, 0.5f, 0}}));  // in parentheses: Catch2 and xtensor both overload ==
  check_gradient(input, relu_gradient(relu(input), factors), 0.25f, [&] { return product(relu(input), factors); });
}

TEST_CASE("max_pool: gradient, odd sizes, equal pixels", "[examples][cnn]") {
  Random random(5);
  std::vector<std::size_t> order(2 * 2 * 5 * 7);
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
  Tensor<4> input({2, 2, 5, 7});
  std::copy(order.begin(), order.end(),
            input.begin());  // all different by at least 1, so a step of 0.25 changes no order
  const Tensor<4> factors = random_tensor<4>({2, 2, 2, 3}, random);
  check_gradient(input, max_pool_gradient(input, factors), 0.25f, [&] { return product(max_pool(input), factors); });

  const Tensor<4> equal = zeros<4>({1, 1, 2, 2});
  REQUIRE((max_pool_gradient(equal, Tensor<4>{{{{3}}}}) == Tensor<4>{{{{3, 0}, {0, 0}}}}));
}

TEST_CASE("softmax_cross_entropy: gradient, loss, accuracy", "[examples][cnn]") {
  Random random(6);
  Tensor<2> logits = random_tensor<2>({4, 10}, random);
  const std::vector<std::uint8_t> labels = {0, 9, 3, 3};
  Scores scores;
  const Tensor<2> gradient = softmax_cross_entropy(logits, labels, 4, scores);
  check_gradient(logits, gradient, 0.01f, [&] {
    Scores moved;
    softmax_cross_entropy(logits, labels, 4, moved);
    return moved.loss;
  });

  const Tensor<2> sure = {{1000, 0, -1000}, {1000, 0, -1000}};  // exp(1000) would overflow
  const std::vector<std::uint8_t> right_and_wrong = {0, 1};
  Scores half;
  REQUIRE((softmax_cross_entropy(sure, right_and_wrong, 2, half) == Tensor<2>{{0, 0, 0}, {0.5f, -0.5f, 0}}));
  REQUIRE(half.loss == Approx(500));
  REQUIRE(half.accuracy == 0.5);
}

}  // namespace
}  // namespace spot_training
