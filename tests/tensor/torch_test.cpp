// Tests with libtorch, where it is installed: as_view() recognises its tensors without including its headers.
#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise
#include <torch/torch.h>

#include <memory>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"
#include "tensor/torch_types.hpp"

namespace tt = tensortap;

TEST_CASE("a view of a torch tensor refers to its elements", "[tensor][torch]") {
  const torch::Tensor tensor = torch::arange(6, torch::kFloat32).reshape({2, 3});
  const auto view = tt::as_view(tensor);
  CHECK(view.data() == tensor.data_ptr());
  CHECK(view.dtype() == tt::DType::f32);
  CHECK(view.is_contiguous());
  REQUIRE(view.rank() == 2);
  CHECK(view.shape()[0] == 2);
  CHECK(view.shape()[1] == 3);

  const auto transposed = tt::as_view(tensor.t());
  CHECK_FALSE(transposed.is_contiguous());
  CHECK(tt::Tensor(transposed).as<float>()[1] == 3);
  CHECK(tt::as_view(torch::tensor(1.5)).rank() == 0);
  CHECK(tt::as_view(torch::empty({0, 3})).size() == 0);
}

TEST_CASE("every supported element type of torch is recognised", "[tensor][torch]") {
  for (const auto& [theirs, ours] : torch_types) CHECK(tt::as_view(torch::ones({2}, theirs)).dtype() == ours);
  CHECK(tt::Tensor(tt::as_view(torch::full({1}, 1.5, torch::kBFloat16))).number(0) == 1.5);
  CHECK(tt::Tensor(tt::as_view(torch::full({1}, -2.5, torch::kFloat16))).number(0) == -2.5);
}

TEST_CASE("torch tensors that cannot be viewed are refused by name", "[tensor][torch]") {
  CHECK_THROWS_WITH(tt::as_view(torch::Tensor(), "w"), contains("tensor \"w\": it is undefined"));
  CHECK_THROWS_WITH(tt::as_view(torch::ones({2, 2}).to_sparse(), "w"), contains("its layout is not strided"));
  CHECK_THROWS_WITH(tt::as_view(torch::ones({2}, torch::kComplexFloat).conj(), "w"), contains("conjugated"));
  CHECK_THROWS_WITH(tt::as_view(torch::empty({2}, torch::Device(torch::kMeta)), "w"), contains("it is on a device"));
}

TEST_CASE("parameters and gradients of a torch module are saved and reduced", "[tensor][torch]") {
  torch::manual_seed(1);
  torch::nn::Linear layer(4, 3);
  layer->forward(torch::ones({2, 4})).sum().backward();
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(
      store, {.collections = {
                  {.name = "all", .save = tt::every(1), .reductions = {tt::Reduction::l2}, .save_raw_tensor = true}}});
  hook.begin_step();
  for (const auto& parameter : layer->named_parameters()) {
    hook.save(parameter.key(), parameter.value());
    hook.save("gradient/" + parameter.key(), parameter.value().grad());
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensors().size() == 4);
  const auto norm = trial.tensor("weight").reduction(0, tt::Reduction::l2);
  REQUIRE(norm);
  CHECK(*norm == Approx(layer->weight.norm().item<double>()).epsilon(1e-6));
  CHECK(trial.tensor("gradient/bias").value(0)->as<float>()[0] == 2);
}
