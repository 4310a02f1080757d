// Trains a small convolutional network with libtorch on Fashion-MNIST, and taps it. Five lines are added to the
// training, marked (1) to (5); two calls change: tap.forward() and tap.loss(). Without Debian's dataset-fashion-mnist,
// or with another folder as the argument, it makes up images: stripes, which ten directions tell apart.
#include <tensortap/adapters/torch.hpp>

#include <cmath>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#ifdef EXAMPLE_READS_FASHION_MNIST
#include "spot_training/fashion_mnist.hpp"
#endif

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(torch::Tensor x) {
    x = torch::max_pool2d(tt::call(relu1, conv1(x)), 2);  // call(): as relu1(x), and its input and output can be saved
    x = torch::max_pool2d(tt::call(relu2, norm(conv2(x))), 2);
    return fc(x.flatten(1));
  }
  torch::nn::Conv2d conv1 = register_module("conv1", torch::nn::Conv2d(1, 8, 5));
  torch::nn::ReLU relu1 = register_module("relu1", torch::nn::ReLU());
  torch::nn::Conv2d conv2 =
      register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 16, 5).bias(false)));  // norm has one
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(16));
  torch::nn::ReLU relu2 = register_module("relu2", torch::nn::ReLU());
  torch::nn::Linear fc = register_module("fc", torch::nn::Linear(256, 10));
};
TORCH_MODULE(Net);

using Batches = std::vector<std::pair<torch::Tensor, torch::Tensor>>;

Batches made_up(int count, std::int64_t size) {
  Batches out;
  const torch::Tensor x = torch::linspace(-3, 3, 28).view({1, 1, 1, 28}), y = x.view({1, 1, 28, 1});
  for (int i = 0; i < count; ++i) {
    const torch::Tensor labels = torch::randint(10, {size});
    const torch::Tensor angles = (labels * (M_PI / 10)).view({size, 1, 1, 1});
    out.emplace_back(torch::sin(4 * (x * angles.cos() + y * angles.sin())) + 0.3 * torch::randn({size, 1, 28, 28}),
                     labels);
  }
  return out;
}

#ifdef EXAMPLE_READS_FASHION_MNIST
Batches fashion_mnist(const std::string& folder, int count, std::int64_t size) {
  const spot_training::FashionMnist data(folder, "train");
  const std::vector<std::size_t> positions = data.positions(data.size());
  Batches out;
  for (int i = 0; i < count; ++i) {
    const auto first = static_cast<std::size_t>(i * size);
    spot_training::Batch batch = data.batch(std::span(positions).subspan(first, static_cast<std::size_t>(size)));
    out.emplace_back(torch::from_blob(batch.images.data(), {size, 1, 28, 28}).clone(),
                     torch::from_blob(batch.labels.data(), {size}, torch::kUInt8).to(torch::kInt64));
  }
  return out;
}
#endif

Batches read(const std::string& folder, int count, std::int64_t size) {
#ifdef EXAMPLE_READS_FASHION_MNIST
  try {
    Batches out = fashion_mnist(folder, count, size);
    std::cout << "images: Fashion-MNIST\n";
    return out;
  } catch (const std::exception& e) {
    std::cout << e.what() << '\n';
  }
#endif
  std::cout << "images: made up, since Fashion-MNIST is not at " << folder << '\n';
  return made_up(count, size);
}

}  // namespace

int main(int argc, char** argv) {
  torch::manual_seed(0);
  const Batches batches = read(argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist", 120, 64);
  Net model;
  torch::nn::CrossEntropyLoss criterion;
  torch::optim::Adam optimizer(model->parameters(), 2e-3);

  const std::vector<tt::Collection> collections = {
      {.name = "losses", .save = tt::every(1)},
      {.name = "gradients", .save = tt::every(10), .reductions = {R::statistics}},
      {.name = "weights", .save = tt::every(50)},
      {.name = "biases", .save = tt::every(50)},
      {.name = "buffers", .include_regex = tt::torch_patterns::buffers, .save = tt::every(50)},
      {.name = "outputs",
       .include_regex = tt::torch_patterns::outputs,
       .save = tt::every(50),
       .reductions = {R::units}},
      {.name = "optimizer_variables",
       .include_regex = tt::torch_patterns::optimizer_variables,
       .save = tt::every(50),
       .reductions = {R::l2}}};
  tt::Hook hook("runs/torch_cnn", {.collections = collections});  // (1)
  auto tap = tt::tap(hook, model, {.optimizer = &optimizer});     // (2)
  for (const auto& [images, labels] : batches) {
    tap.begin_step();  // (3)
    optimizer.zero_grad();
    const torch::Tensor loss = tap.loss(criterion, tap.forward(images), labels);
    loss.backward();
    optimizer.step();
  }
  tap.flush();   // (4)
  hook.close();  // (5)

  std::cout << hook.report();
  const tt::Trial trial("runs/torch_cnn");
  std::cout << "\ntensor, elements or shape in step 50\n";
  for (const tt::TensorHistory& tensor : trial.tensors()) {
    std::cout << "  " << tensor.name() << ", " << tensor.steps().size() << " steps";
    if (const auto value = tensor.value(50)) std::cout << ", " << tt::to_torch(*value).sizes();
    std::cout << '\n';
  }
  const auto mean_loss = [&](std::int64_t first) {
    double sum = 0;
    for (std::int64_t step = first; step < first + 10; ++step)
      sum += trial.tensor("CrossEntropyLoss_output_0").value(step)->number(0) / 10;
    return sum;
  };
  std::cout << "\nmean loss of ten steps: " << mean_loss(0) << ", then " << mean_loss(110) << '\n';
  for (const std::string& note : tap.notes()) std::cout << note << '\n';
  const auto verdict = tt::evaluate(trial, {tt::VanishingGradient(), tt::ExplodingTensor(), tt::DeadRelu()});
  for (const tt::RuleResult& rule : verdict.rules) std::cout << rule.rule << ": " << to_string(rule.status) << '\n';
  return mean_loss(110) < 0.8 * mean_loss(0) && tap.notes().empty() ? 0 : 1;
}
