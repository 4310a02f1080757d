#include <tensortap/adapters/tiny_dnn.hpp>

#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "adapters/saved_floats.hpp"
#include "catch.hpp"

namespace tt = tensortap;
namespace td = tiny_dnn;

namespace {

td::network<td::sequential> small_network() {
  td::network<td::sequential> net;
  net << td::convolutional_layer<td::relu>(6, 6, 3, 1, 2)  // -> 4 x 4 x 2
      << td::max_pooling_layer<td::identity>(4, 4, 2, 2)   // -> 2 x 2 x 2
      << td::fully_connected_layer<td::tan_h>(8, 5) << td::fully_connected_layer<td::identity>(5, 2);
  net.weight_init(td::weight_init::xavier());
  td::set_random_seed(1);
  net.init_weight();
  return net;
}

std::vector<td::vec_t> images(std::size_t count) {
  std::vector<td::vec_t> out(count, td::vec_t(36));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < 36; ++j) out[i][j] = static_cast<float>(std::sin(static_cast<double>(7 * i + j)));
  return out;
}

std::vector<td::vec_t> targets(std::size_t count) {
  std::vector<td::vec_t> out(count, td::vec_t(2));
  for (std::size_t i = 0; i < count; ++i) out[i] = {i % 2 == 0 ? 0.5F : -0.5F, 0.25F};
  return out;
}

std::vector<float> plain(const td::vec_t& vector) { return {vector.begin(), vector.end()}; }

}  // namespace

TEST_CASE("a training with tiny-dnn saves loss, parameters, gradients and outputs", "[adapters][tiny_dnn]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "losses"},
                                        {.name = "weights"},
                                        {.name = "biases"},
                                        {.name = "gradients"},
                                        {.name = "outputs", .include_regex = "_output_0$"}},
                        .save = tt::every(1)});
  auto net = small_network(), reference = small_network();
  td::gradient_descent optimizer, other_optimizer;
  optimizer.alpha = other_optimizer.alpha = 0.1F;
  const auto x = images(6), y = targets(6);
  tt::TinyDnnTap tap(hook, net, optimizer);

  // A reference that trains without a tap, with the same batches.
  std::vector<std::vector<float>> weights, losses;
  int batch = 0;
  const auto note = [&] {
    weights.push_back(plain(*reference[0]->weights()[0]));
    ++batch;
  };
  weights.push_back(plain(*reference[0]->weights()[0]));
  reference.fit<td::mse>(other_optimizer, x, y, 4, 2, note, [] {});
  net.fit<tt::TinyDnnLoss<td::mse>>(tap, x, y, 4, 2);
  CHECK(hook.step() == 3);
  CHECK(hook.status().notes.empty());
  hook.close();

  CHECK(plain(*net[0]->weights()[0]) == plain(*reference[0]->weights()[0]));  // the tap changes nothing
  const tt::Trial trial(store);
  std::set<std::string> names;
  for (const auto& tensor : trial.tensors()) names.insert(tensor.name());
  CHECK(names == std::set<std::string>{"loss", "conv1.weight", "conv1.bias", "fc1.weight", "fc1.bias", "fc2.weight",
                                       "fc2.bias", "gradient/conv1.weight", "gradient/conv1.bias",
                                       "gradient/fc1.weight", "gradient/fc1.bias", "gradient/fc2.weight",
                                       "gradient/fc2.bias", "conv1_output_0", "pool1_output_0", "fc1_output_0",
                                       "fc2_output_0"});
  CHECK(trial.tensor("conv1.weight").value(0)->shape() == tt::Tensor::Shape{2, 1, 3, 3});
  CHECK(trial.tensor("fc1.weight").value(0)->shape() == tt::Tensor::Shape{8, 5});
  CHECK(trial.tensor("fc1.bias").value(0)->shape() == tt::Tensor::Shape{5});
  CHECK(trial.tensor("conv1_output_0").value(0)->shape() == tt::Tensor::Shape{4, 2, 4, 4});
  CHECK(trial.tensor("conv1_output_0").value(1)->shape() == tt::Tensor::Shape{2, 2, 4, 4});  // the rest of the epoch
  CHECK(trial.tensor("fc2_output_0").value(0)->shape() == tt::Tensor::Shape{4, 2});
  for (std::int64_t step = 0; step < 4; ++step) {
    INFO(step);
    const std::vector<float> before = floats(trial, "conv1.weight", step);
    CHECK(before == weights[static_cast<std::size_t>(step)]);
    // The gradient is what gradient descent has used.
    const std::vector<float> gradient = floats(trial, "gradient/conv1.weight", step);
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(before[i] - 0.1F * gradient[i] == Approx(weights[static_cast<std::size_t>(step) + 1][i]).margin(1e-6));
    // The loss is that of the saved outputs.
    const std::vector<float> outputs = floats(trial, "fc2_output_0", step);
    const std::size_t first = step % 2 == 0 ? 0 : 4;
    double loss = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      loss += std::pow(static_cast<double>(outputs[i]) - static_cast<double>(y[first + i / 2][i % 2]), 2) /
              static_cast<double>(outputs.size());
    CHECK(trial.tensor("loss").value(step)->number(0) == Approx(loss).epsilon(1e-5));
  }
}

TEST_CASE("frozen layers of tiny-dnn have no updates, and a step still ends", "[adapters][tiny_dnn]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});
  auto net = small_network();
  net[3]->set_trainable(false);
  td::adam optimizer;
  tt::TinyDnnTap tap(hook, net, optimizer);
  net.fit<td::mse>(tap, images(4), targets(4), 1, 1);  // a batch of one; a loss that the tap does not see
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("gradient/fc1.bias").steps().size() == 4);
  CHECK_FALSE(trial.has_tensor("gradient/fc2.bias"));
  CHECK_FALSE(trial.has_tensor("loss"));
  CHECK(trial.tensor("fc2_output_0").steps().size() == 4);
}
