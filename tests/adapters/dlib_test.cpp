#include <tensortap/adapters/dlib.hpp>

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

namespace {

using SmallNet = dlib::loss_multiclass_log<dlib::fc<
    2, dlib::relu<dlib::fc<5, dlib::relu<dlib::bn_con<dlib::con<3, 2, 2, 1, 1, dlib::input<dlib::matrix<float>>>>>>>>>;

std::vector<dlib::matrix<float>> images() {
  std::vector<dlib::matrix<float>> out(8, dlib::matrix<float>(4, 4));
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 16; ++j)
      out[static_cast<std::size_t>(i)](j / 4, j % 4) = static_cast<float>(std::sin(5 * i + j));
  return out;
}

const std::vector<unsigned long> labels = {0, 1, 0, 1, 1, 0, 1, 0};

}  // namespace

TEST_CASE("a training with dlib saves loss, parameters and gradients", "[adapters][dlib]") {
  SmallNet net;
  dlib::dnn_trainer<SmallNet, dlib::sgd> trainer(net, dlib::sgd(0, 0));  // neither decay nor momentum
  trainer.set_learning_rate(0.125);
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "losses"},
                                        {.name = "weights"},
                                        {.name = "biases"},
                                        {.name = "gradients"},
                                        {.name = "rates", .include_regex = "^learning_rate$"}},
                        .save = tt::every(1)});
  tt::DlibTap tap(hook, trainer);
  const auto x = images();
  std::vector<double> losses;
  for (int i = 0; i < 3; ++i) {
    trainer.train_one_step(x, labels);
    tap.after_step();
    losses.push_back(trainer.get_average_loss());
  }
  hook.close();
  const tt::Trial trial(store);
  std::set<std::string> names;
  for (const auto& tensor : trial.tensors()) names.insert(tensor.name());
  std::set<std::string> expected = {"average_loss", "learning_rate"};
  for (const std::string layer : {"conv1", "bn_con1", "fc1", "fc2"})
    for (const std::string part : {".weight", ".bias"}) {
      expected.insert(layer + part);
      expected.insert("gradient/" + layer + part);
    }
  CHECK(names == expected);
  for (std::int64_t step = 0; step < 3; ++step)
    CHECK(trial.tensor("average_loss").value(step)->number(0) == losses[static_cast<std::size_t>(step)]);
  CHECK(trial.tensor("learning_rate").value(0)->number(0) == 0.125);
  CHECK(trial.tensor("conv1.weight").value(0)->shape() == tt::Tensor::Shape{3, 1, 2, 2});
  CHECK(trial.tensor("conv1.bias").value(0)->shape() == tt::Tensor::Shape{3});
  CHECK(trial.tensor("fc1.weight").value(0)->shape() == tt::Tensor::Shape{75, 5});
  CHECK(trial.tensor("fc2.bias").value(0)->shape() == tt::Tensor::Shape{2});

  // As dlib's own functions find them.
  auto& fc2 = dlib::layer<1>(trainer.get_net()).layer_details();
  const std::vector<float> weight = floats(trial, "fc2.weight", 2), bias = floats(trial, "fc2.bias", 2);
  CHECK(std::equal(weight.begin(), weight.end(), fc2.get_weights().host()));
  CHECK(std::equal(bias.begin(), bias.end(), fc2.get_biases().host()));
  // Plain gradient descent: the change is the gradient times the learning rate.
  for (const std::string name : {"conv1.weight", "fc1.weight", "fc2.weight", "fc2.bias", "bn_con1.bias"}) {
    INFO(name);
    const std::vector<float> before = floats(trial, name, 1), after = floats(trial, name, 2),
                             gradient = floats(trial, "gradient/" + name, 2);
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(after[i] == Approx(before[i] - 0.125F * gradient[i]).margin(1e-6));
  }
}

TEST_CASE("the tap of dlib saves what is due", "[adapters][dlib]") {
  SmallNet net;
  dlib::dnn_trainer<SmallNet> trainer(net);
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "weights", .save = tt::every(4)}}});
  tt::DlibTap tap(hook, trainer);
  const auto x = images();
  for (int i = 0; i < 6; ++i) {
    trainer.train_one_step(x, labels);
    tap.after_step();
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("fc1.weight").steps() == std::vector<std::int64_t>{0, 4});
  CHECK(floats(trial, "fc1.weight", 0) != floats(trial, "fc1.weight", 4));
  CHECK_FALSE(trial.has_tensor("gradient/fc1.weight"));
}
