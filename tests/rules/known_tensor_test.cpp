// The roles of tensors by name and by collection, and their order.
#include <tensortap/rules/internal/tensor_catalog.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;
using tt::Activation;
using tt::Role;

namespace {

std::vector<std::string> names_of(std::span<const tt::KnownTensor* const> tensors) {
  std::vector<std::string> out;
  for (const tt::KnownTensor* tensor : tensors) out.push_back(tensor->name);
  return out;
}

/// Returns a step with tensors of these names.
StepOfMap step_with(const std::vector<std::string>& names, StepOfMap::Collections collections = {}) {
  std::map<std::string, tt::Tensor, std::less<>> tensors;
  for (const std::string& name : names) tensors[name] = tensor_of({1});
  return StepOfMap({tt::Mode::train, 0, 0}, tensors, std::move(collections));
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("names tell roles", "[rules][known_tensor]") {
  struct Known {
    std::string name;
    Role role;
    std::string subject = {};
    Activation activation = Activation::none;
  };
  const std::vector<Known> names = {
      // PyTorch, by smdebug's hook
      {"gradient/Net_fc1.weight", Role::gradient, "Net_fc1.weight"},
      {"gradient/Net_relu.weight", Role::gradient, "Net_relu.weight"},
      {"Net_fc1.weight", Role::weight},
      {"Net_fc1.bias", Role::bias},
      {"CrossEntropyLoss_output_0", Role::loss},
      {"CrossEntropyLoss_input_0", Role::predictions},
      {"CrossEntropyLoss_input_1", Role::labels},
      {"NLLLoss_output_0", Role::loss},
      {"Net_fc1_output_0", Role::layer_output, "Net_fc1"},
      {"Net_conv1_input_0", Role::layer_input, "Net_conv1"},
      {"ReLU_output_0", Role::layer_output, "ReLU", Activation::relu},
      {"relu0_input_0", Role::layer_input, "relu0", Activation::relu},
      {"Tanh_input_0", Role::layer_input, "Tanh", Activation::tanh},
      {"act_sigmoid_input_0", Role::layer_input, "act_sigmoid", Activation::sigmoid},
      {"Softmax_output_0", Role::layer_output, "Softmax", Activation::softmax},
      // MXNet and TensorFlow
      {"gradient/conv0_weight", Role::gradient, "conv0_weight"},
      {"conv0_weight", Role::weight},
      {"conv0_bias", Role::bias},
      {"hybridsequential0_input_0", Role::layer_input, "hybridsequential0"},
      {"hybridsequential0_relu_output_0", Role::layer_output, "hybridsequential0_relu", Activation::relu},
      {"softmaxcrossentropyloss0_output_0", Role::loss},
      // C++
      {"loss", Role::loss},
      {"train/loss", Role::loss},
      {"fc1.weight", Role::weight},
      {"fc1.bias", Role::bias},
      {"fc1.weight.grad", Role::gradient, "fc1.weight"},
      {"w.grad", Role::gradient, "w"},
      {"gradient/w", Role::gradient, "w"},
      {"relu1_output", Role::layer_output, "relu1", Activation::relu},
      {"x/labels", Role::labels},
      {"labels", Role::labels},
      {"predictions", Role::predictions},
      // None of them
      {"", Role::other},
      {"_output", Role::layer_output},
      {"my_output_of_it", Role::other},
      {"something", Role::other},
      {"\xff\n", Role::other},
  };
  for (const Known& known : names) {
    CAPTURE(known.name);
    const tt::NameRole role = tt::role_of(known.name);
    CHECK(static_cast<int>(role.role) == static_cast<int>(known.role));
    CHECK(role.subject == known.subject);
    if (known.activation != Activation::none || role.role == Role::layer_output || role.role == Role::layer_input)
      CHECK(static_cast<int>(role.activation) == static_cast<int>(known.activation));
  }
}

TEST_CASE("collections of the run give roles to other names, as XGBoost's do", "[rules][known_tensor]") {
  tt::detail::TensorCatalog catalog;
  const auto view = step_with({"train-rmse", "q", "my_grad_of", "labels", "y", "feature_importance/weight/f0"},
                              {{"metrics", {"train-rmse"}},
                               {"losses", {"q"}},
                               {"gradients", {"my_grad_of"}},
                               {"labels", {"labels", "y"}},
                               {"feature_importance", {"feature_importance/weight/f0"}}});
  const tt::JudgedStep step(catalog, view);
  CHECK(names_of(step.with_role(Role::metric)) == List{"train-rmse"});
  CHECK(names_of(step.with_role(Role::loss)) == List{"q"});
  CHECK(names_of(step.with_role(Role::labels)) == List{"labels", "y"});
  REQUIRE(step.with_role(Role::gradient).size() == 1);
  CHECK(step.with_role(Role::gradient)[0]->subject == "my_grad_of");
}

TEST_CASE("names with numbers are in the order of the numbers", "[rules][known_tensor]") {
  const List ordered = {
      "", "a", "a1", "a2", "a2b", "a10", "a10b", "b", "layer1.conv9", "layer1.conv10", "layer2.conv1"};
  for (std::size_t i = 0; i < ordered.size(); ++i)
    for (std::size_t k = 0; k < ordered.size(); ++k) {
      CAPTURE(ordered[i], ordered[k]);
      CHECK(tt::detail::natural_less(ordered[i], ordered[k]) == (i < k));
    }
  CHECK_FALSE(tt::detail::natural_less("a01", "a1"));  // the same number
  CHECK_FALSE(tt::detail::natural_less("a1", "a01"));
  CHECK(tt::detail::natural_less("x99999999999999999999998", "x99999999999999999999999"));
}

TEST_CASE("gradients are in the order of their weights, else of their names", "[rules][known_tensor]") {
  tt::detail::TensorCatalog catalog;
  // A map gives the names in lexical order: "out" was saved before "stem" here, and so is its gradient.
  const auto first = step_with({"gradient/a2.weight", "gradient/a10.weight", "gradient/a9.weight"});
  {
    const tt::JudgedStep step(catalog, first);
    CHECK(names_of(step.with_role(Role::gradient)) ==
          List{"gradient/a2.weight", "gradient/a9.weight", "gradient/a10.weight"});
    CHECK(names_of(step.saved()) == List{"gradient/a10.weight", "gradient/a2.weight", "gradient/a9.weight"});
    CHECK(step.with_role(Role::weight).empty());
  }
  const auto weights = step_with({"a9.weight", "a10.weight", "a2.weight"});
  {
    const tt::JudgedStep step(catalog, weights);
    CHECK(names_of(step.with_role(Role::weight)) == List{"a10.weight", "a2.weight", "a9.weight"});
    CHECK(step.with_role(Role::gradient).empty());
    CHECK(step.find("gradient/a2.weight") != nullptr);
    CHECK(step.statistics(*step.find("gradient/a2.weight")) == nullptr);  // not in this step
  }
  const tt::JudgedStep step(catalog, first);
  CHECK(names_of(step.with_role(Role::gradient)) ==
        List{"gradient/a10.weight", "gradient/a2.weight", "gradient/a9.weight"});
}

TEST_CASE("a catalog is restored with roles, order and ids", "[rules][known_tensor]") {
  tt::detail::TensorCatalog catalog;
  const auto view = step_with({"w10.weight", "w2.weight", "w2.weight.grad", "w10.weight.grad", "g.w", "loss"},
                              {{"gradients", {"g.w", "w2.weight.grad", "w10.weight.grad"}}});
  { const tt::JudgedStep step(catalog, view); }
  tt::RuleState writer;
  catalog.exchange(writer);
  tt::detail::TensorCatalog restored;
  tt::RuleState reader(writer.bytes());
  restored.exchange(reader);
  REQUIRE(reader.complete());
  const tt::JudgedStep before(catalog, view);
  const tt::JudgedStep after(restored, view);
  CHECK(names_of(before.with_role(Role::gradient)) == names_of(after.with_role(Role::gradient)));
  for (const tt::KnownTensor* tensor : before.saved()) {
    const tt::KnownTensor* const same = after.find(tensor->name);
    REQUIRE(same != nullptr);
    CHECK(same->id == tensor->id);
    CHECK(static_cast<int>(same->role) == static_cast<int>(tensor->role));
    CHECK(same->subject == tensor->subject);
    CHECK(static_cast<int>(same->activation) == static_cast<int>(tensor->activation));
  }
}
