// Saves tensors of a training with libtorch by hand. torch_cnn.cpp has a tap that finds and names them.
//
// save() takes a torch::Tensor in CPU memory, whatever its strides and element type are. A tensor on another device
// must be copied to the CPU first; `due` tells whether the step needs it. The collections "weights" and "gradients"
// have patterns of their own: names like "0.weight" and "gradient/0.weight".
#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise
#include <torch/torch.h>

#include <iostream>
#include <string>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;
using R = tt::Reduction;

int main() {
  torch::manual_seed(0);
  torch::nn::Sequential model(torch::nn::Linear(4, 16), torch::nn::ReLU(), torch::nn::Linear(16, 1));
  torch::optim::SGD optimizer(model->parameters(), 0.05);
  const torch::Tensor input = torch::rand({64, 4}), target = input.sum(1, true);

  tt::Hook hook("runs/torch", {.collections = {
                                   {.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                   {.name = "weights", .save = tt::every(50)},
                                   {.name = "gradients", .save = tt::every(10), .reductions = {R::abs_mean, R::l2}},
                               }});
  for (int i = 0; i < 100; ++i) {
    hook.begin_step();
    optimizer.zero_grad();
    const torch::Tensor loss = torch::mse_loss(model->forward(input), target);
    loss.backward();
    hook.save("loss", loss);
    for (const auto& parameter : model->named_parameters()) {
      if (hook.due("weights")) hook.save(parameter.key(), parameter.value().cpu());
      if (hook.due("gradients")) hook.save("gradient/" + parameter.key(), parameter.value().grad().cpu());
    }
    optimizer.step();
  }
  hook.close();

  const tt::Trial trial("runs/torch");
  for (const tt::TensorHistory& tensor : trial.tensors({.collection = "gradients"}))
    std::cout << tensor.name() << ": l2 " << tensor.reduction(0, R::l2).value_or(0) << " in step 0, "
              << tensor.reduction(90, R::l2).value_or(0) << " in step 90\n";
}
