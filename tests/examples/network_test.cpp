#include "spot_training/network.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "catch.hpp"
#include "spot_training/sgd.hpp"

namespace spot_training {
namespace {

Batch random_batch(std::size_t images, Random& random) {
  Batch batch{Tensor<4>({images, 1, 28, 28}), {}};
  for (float& pixel : batch.images) pixel = random.uniform(1.0f);
  for (std::size_t image = 0; image < images; ++image)
    batch.labels.push_back(static_cast<std::uint8_t>(random.below(10)));
  return batch;
}

TEST_CASE("Network: the loss decreases along its gradient at the predicted rate", "[examples][network]") {
  Random random(7);
  Network network(random, 2);
  const Batch batch = random_batch(9, random);
  network.forward(batch);
  network.backward();
  const Parameters before = network.parameters;
  const auto gradients = network.gradient.numbers();
  for (std::size_t tensor = 0; tensor < gradients.size(); ++tensor) {
    const auto values = network.parameters.numbers()[tensor];
    const double square =
        std::inner_product(gradients[tensor].begin(), gradients[tensor].end(), gradients[tensor].begin(), 0.0);
    const auto loss_at = [&](double distance) {
      network.parameters = before;
      const auto moved = network.parameters.numbers()[tensor];
      for (std::size_t i = 0; i < values.size(); ++i)
        moved[i] += static_cast<float>(distance / std::sqrt(square)) * gradients[tensor][i];
      return network.forward(batch).loss;
    };
    REQUIRE((loss_at(1e-3) - loss_at(-1e-3)) / 2e-3 == Approx(std::sqrt(square)).epsilon(0.01));
  }
}

TEST_CASE("Network: the same bits for any number of threads", "[examples][network]") {
  const auto train = [](std::size_t threads, std::size_t images) {
    Random random(8);
    Network network(random, threads);
    Sgd sgd;
    for (int step = 0; step < 2; ++step) {
      network.forward(random_batch(images, random));
      network.backward();
      sgd.update(network, 0.1f);
    }
    std::vector<float> result;
    for (const auto numbers : network.parameters.numbers()) result.insert(result.end(), numbers.begin(), numbers.end());
    return result;
  };
  for (const std::size_t images : {1u, 3u, 20u}) {
    const std::vector<float> alone = train(1, images);
    REQUIRE(train(2, images) == alone);
    REQUIRE(train(5, images) == alone);
    REQUIRE(train(64, images) == alone);
  }
}

TEST_CASE("Network: activations are those of the whole batch, in order", "[examples][network]") {
  Random random(9);
  Network network(random, 3);
  const Batch batch = random_batch(11, random);
  network.forward(batch);
  std::vector<std::string> names;
  network.for_each_activation([&](const std::string& name, const auto& tensor) {
    names.emplace_back(name);
    REQUIRE(tensor.shape(0) == 11);
  });
  REQUIRE(names == std::vector<std::string>{"conv1.relu_output", "conv2.relu_output", "dense1.relu_output",
                                            "dense2.relu_output"});
  const Tensor<4> expected = relu(network.parameters.conv1.forward(batch.images));
  network.for_each_activation([&](const std::string& name, const auto& tensor) {
    if (name == "conv1.relu_output") REQUIRE(std::equal(tensor.begin(), tensor.end(), expected.begin()));
  });
}

TEST_CASE("Random: the same on every machine", "[examples][network]") {
  Random random(1);
  std::vector<std::size_t> order(10);
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
  REQUIRE(order == std::vector<std::size_t>{5, 7, 6, 8, 4, 2, 0, 3, 9, 1});
  for (int i = 0; i < 1000; ++i) {
    const float number = random.uniform(0.5f);
    REQUIRE((number >= -0.5f && number < 0.5f));
    REQUIRE(random.below(3) < 3);
  }
}

}  // namespace
}  // namespace spot_training
