// The tap of libtorch, where it is installed. The expected names are those that smdebug's PyTorch hook gives:
// `CLASS_PATH` for parameters, `gradient/CLASS_PATH`, and `PATH_input_I`, `PATH_output_I` for modules, where the path
// of the root is its class. Source: smdebug/pytorch/hook.py and smdebug/core/hook.py of smdebug 1.0.34.
#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <tensortap/adapters/torch.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"
#include "tensor/torch_types.hpp"

namespace tt = tensortap;
using torch::Tensor;

namespace {

tt::HookOptions save_all() { return {.collections = {{.name = "all"}}, .save = tt::every(1)}; }

/// A block as programs write it: only what has no parameters is called with `tt::call`.
struct BlockImpl : torch::nn::Module {
  BlockImpl()
      : conv(register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 4, 3).padding(1)))),
        bn(register_module("bn", torch::nn::BatchNorm2d(4))),
        relu(register_module("relu", torch::nn::ReLU())) {}
  Tensor forward(const Tensor& x) { return tt::call(relu, bn(conv(x))); }

  torch::nn::Conv2d conv;
  torch::nn::BatchNorm2d bn;
  torch::nn::ReLU relu;
};
TORCH_MODULE(Block);

/// A Sequential, a nested module, a layer with two names that runs twice, and a frozen layer.
struct NetImpl : torch::nn::Module {
  NetImpl()
      : features(register_module(
            "features", torch::nn::Sequential(torch::nn::Conv2d(1, 4, 3), torch::nn::ReLU(), torch::nn::MaxPool2d(2)))),
        block(register_module("block", Block())),
        fc(register_module("fc", torch::nn::Linear(36, 8))),
        twice(register_module("twice", torch::nn::Linear(8, 8))),
        head(register_module("head", torch::nn::Linear(8, 3))) {
    register_module("again", twice);
    for (const Tensor& parameter : head->parameters()) parameter.set_requires_grad(false);
  }
  Tensor forward(const Tensor& images) {
    Tensor x = tt::call(block, tt::call(features, images));
    x = torch::relu(fc(x.flatten(1)));
    x = torch::relu(twice(x));
    x = torch::relu(twice(x));
    return head(x);
  }

  torch::nn::Sequential features;
  Block block;
  torch::nn::Linear fc, twice, head;
};
TORCH_MODULE(Net);

std::set<std::string> names_of(const tt::Trial& trial) {
  std::set<std::string> out;
  for (const tt::TensorHistory& tensor : trial.tensors()) out.insert(tensor.name());
  return out;
}

Tensor read(const tt::Trial& trial, const std::string& name, std::int64_t step = 0) {
  auto value = trial.tensor(name).value(step);
  INFO(name);
  REQUIRE(value);
  return tt::to_torch(*std::move(value));
}

}  // namespace

TEST_CASE("names and values of a run are those of smdebug's PyTorch hook", "[adapters][torch]") {
  torch::manual_seed(1);
  const auto store = std::make_shared<tt::MemoryStore>();
  Net net;
  torch::nn::CrossEntropyLoss criterion;
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  const Tensor images = torch::rand({5, 1, 8, 8}), labels = torch::tensor({0, 1, 2, 1, 0});
  std::map<std::string, Tensor> weights, gradients;
  Tensor output, momentum, mean;
  {
    tt::Hook hook(store, save_all());
    auto tap = tt::tap(hook, net, {.optimizer = &optimizer});
    for (int i = 0; i < 2; ++i) {
      tap.begin_step();
      if (i == 1) {
        for (const auto& item : net->named_parameters()) weights[item.key()] = item.value().detach().clone();
        const auto& state = optimizer.state().at(c10::guts::to_string(net->fc->weight.unsafeGetTensorImpl()));
        momentum = static_cast<const torch::optim::SGDParamState&>(*state).momentum_buffer().clone();
        mean = net->block->bn->running_mean.clone();
      }
      optimizer.zero_grad();
      output = tap.forward(images);
      const Tensor loss = tap.loss(criterion, output, labels);
      loss.backward();
      for (const auto& item : net->named_parameters())
        if (item.value().grad().defined()) gradients[item.key()] = item.value().grad().clone();
      optimizer.step();
    }
    CHECK(tap.notes().empty());
    tap.flush();
    hook.close();
  }
  const tt::Trial trial(store);

  std::set<std::string> expected;
  const std::vector<std::string> trained = {
      "features.0.weight", "features.0.bias", "block.conv.weight", "block.conv.bias", "block.bn.weight",
      "block.bn.bias",     "fc.weight",       "fc.bias",           "twice.weight",    "twice.bias"};
  for (const std::string& name : trained) {
    expected.insert("Net_" + name);
    expected.insert("gradient/Net_" + name);
  }
  expected.insert({"Net_head.weight", "Net_head.bias"});
  for (const std::string module : {"Net", "features", "features.0", "features.1", "features.2", "block", "block.conv",
                                   "block.bn", "block.relu", "fc", "twice", "head"}) {
    expected.insert(module + "_input_0");
    expected.insert(module + "_output_0");
  }
  expected.insert({"twice_input_1", "twice_output_1"});
  expected.insert({"CrossEntropyLoss_input_0", "CrossEntropyLoss_input_1", "CrossEntropyLoss_output_0"});
  std::set<std::string> found = names_of(trial);
  // smdebug saves neither of these.
  const auto beyond = [](const std::string& name) {
    return name.starts_with("buffer/") || name.starts_with("optimizer/");
  };
  std::set<std::string> others;
  for (const std::string& name : found)
    if (beyond(name)) others.insert(name);
  for (const std::string& name : others) found.erase(name);
  CHECK(found == expected);
  std::set<std::string> expected_others = {"buffer/Net_block.bn.running_mean", "buffer/Net_block.bn.running_var",
                                           "buffer/Net_block.bn.num_batches_tracked", "optimizer/learning_rate_0"};
  for (const std::string& name : trained) expected_others.insert("optimizer/Net_" + name + "/momentum_buffer");
  CHECK(others == expected_others);

  // Parameters and what the optimizer keeps are those before the step; gradients those after the backward pass.
  for (const auto& [name, tensor] : weights)
    if (!name.starts_with("again")) CHECK(torch::equal(read(trial, "Net_" + name, 1), tensor));
  for (const std::string& name : trained)
    CHECK(torch::equal(read(trial, "gradient/Net_" + name, 1), gradients.at(name)));
  CHECK(torch::equal(read(trial, "optimizer/Net_fc.weight/momentum_buffer", 1), momentum));
  CHECK(torch::equal(read(trial, "buffer/Net_block.bn.running_mean", 1), mean));
  CHECK(read(trial, "buffer/Net_block.bn.num_batches_tracked", 1).item<std::int64_t>() == 1);
  CHECK(read(trial, "optimizer/learning_rate_0").item<double>() == 0.1);
  CHECK(trial.tensor("optimizer/Net_fc.weight/momentum_buffer").steps() == std::vector<std::int64_t>{1});

  // Inputs and outputs, against torch's functions on the saved values.
  const auto saved = [&](const std::string& name) { return read(trial, name, 1); };
  CHECK(torch::equal(saved("Net_input_0"), images));
  CHECK(torch::equal(saved("Net_output_0"), output));
  CHECK(torch::equal(saved("CrossEntropyLoss_input_0"), output));
  CHECK(torch::equal(saved("CrossEntropyLoss_input_1"), labels));
  CHECK(torch::allclose(saved("CrossEntropyLoss_output_0"), torch::cross_entropy_loss(output, labels)));
  CHECK(torch::equal(saved("features.0_input_0"), images));
  const Tensor conv = torch::conv2d(images, weights.at("features.0.weight"), weights.at("features.0.bias"));
  CHECK(torch::allclose(saved("features.0_output_0"), conv));
  CHECK(torch::equal(saved("features.1_output_0"), saved("features.0_output_0").relu()));
  CHECK(torch::equal(saved("features_output_0"), torch::max_pool2d(saved("features.2_input_0"), 2)));
  CHECK(torch::equal(saved("block_input_0"), saved("features_output_0")));
  CHECK(torch::equal(saved("block.bn_input_0"), saved("block.conv_output_0")));
  CHECK(torch::allclose(saved("block.bn_output_0").mean(c10::IntArrayRef{0, 2, 3}), weights.at("block.bn.bias"), 0,
                        1e-6));
  CHECK(torch::equal(saved("block_output_0"), saved("block.bn_output_0").relu()));
  CHECK(torch::equal(saved("fc_input_0"), saved("block_output_0").flatten(1)));
  CHECK(torch::equal(saved("twice_input_0"), saved("fc_output_0").relu()));
  CHECK(torch::equal(saved("twice_input_1"), saved("twice_output_0").relu()));
  CHECK(torch::allclose(saved("twice_output_1"),
                        torch::linear(saved("twice_input_1"), weights.at("twice.weight"), weights.at("twice.bias"))));
  CHECK(torch::equal(saved("head_input_0"), saved("twice_output_1").relu()));
  CHECK(torch::equal(saved("head_output_0"), output));
}

TEST_CASE("the collections of smdebug find the names of a tap", "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  torch::nn::Sequential net(torch::nn::Linear(2, 2), torch::nn::BatchNorm1d(2));
  torch::optim::RMSprop optimizer(net->parameters(), torch::optim::RMSpropOptions(0.1).centered(true));
  tt::Hook hook(
      store,
      {.collections = {{.name = "weights"},
                       {.name = "biases"},
                       {.name = "gradients"},
                       {.name = "losses"},
                       {.name = "inputs", .include_regex = tt::torch_patterns::inputs},
                       {.name = "outputs", .include_regex = tt::torch_patterns::outputs},
                       {.name = "buffers", .include_regex = tt::torch_patterns::buffers},
                       {.name = "optimizer_variables", .include_regex = tt::torch_patterns::optimizer_variables}},
       .save = tt::every(1)});
  auto tap = tt::tap(hook, net, {.optimizer = &optimizer});
  for (int i = 0; i < 2; ++i) {
    tap.begin_step();
    optimizer.zero_grad();
    tap.loss("mse_loss", torch::mse_loss(tap.forward(torch::rand({4, 2})), torch::ones({4, 2}))).backward();
    optimizer.step();
  }
  hook.close();
  const auto members = [&](const char* collection) {
    std::set<std::string> out;
    for (const tt::TensorHistory& tensor : tt::Trial(store).tensors({.collection = collection}))
      out.insert(tensor.name());
    return out;
  };
  using Names = std::set<std::string>;
  CHECK(members("weights") == Names{"Sequential_0.weight", "Sequential_1.weight"});
  CHECK(members("biases") == Names{"Sequential_0.bias", "Sequential_1.bias"});
  CHECK(members("gradients").size() == 4);
  CHECK(members("gradients").contains("gradient/Sequential_1.bias"));
  CHECK(members("losses") == Names{"mse_loss_output_0"});
  CHECK(members("inputs") == Names{"Sequential_input_0", "0_input_0", "1_input_0"});
  CHECK(members("outputs") == Names{"Sequential_output_0", "0_output_0", "1_output_0", "mse_loss_output_0"});
  CHECK(members("buffers").size() == 3);
  CHECK(members("optimizer_variables").size() == 9);  // square_avg and avg of four parameters, and the learning rate
}

namespace {

/// Layers as programs call them, without a word of the tap. Linear has three ways to compute its result.
struct PlainImpl : torch::nn::Module {
  PlainImpl() {
    register_module("embedding", embedding);
    register_module("norm", norm);
    register_module("lstm", lstm);
    register_module("attention", attention);
    register_module("flat", flat);
    register_module("unbiased", unbiased);
    unbiased->weight = unbiased->register_parameter("tied", embedding->weight);
  }
  Tensor forward(const Tensor& tokens) {
    Tensor x = norm(embedding(tokens));
    x = std::get<0>(lstm->forward(x));
    x = std::get<0>(attention->forward(x, x, x));
    x = flat(x).relu_();  // in place: must not change what was saved as the output of `flat`
    x = flat(x.flatten(0, 1));
    return unbiased(x);
  }

  torch::nn::Embedding embedding{torch::nn::EmbeddingOptions(7, 4).max_norm(1)};
  torch::nn::LayerNorm norm{torch::nn::LayerNormOptions({4})};
  torch::nn::LSTM lstm{4, 4};
  torch::nn::MultiheadAttention attention{4, 2};
  torch::nn::Linear flat{4, 4};
  torch::nn::Linear unbiased{torch::nn::LinearOptions(4, 7).bias(false)};
};
TORCH_MODULE(Plain);

}  // namespace

TEST_CASE("layers with parameters are found in a forward that knows nothing of the tap", "[adapters][torch]") {
  torch::manual_seed(2);
  const auto store = std::make_shared<tt::MemoryStore>();
  Plain net;
  const Tensor tokens = torch::randint(7, {3, 2});
  tt::Hook hook(store,
                {.collections = {{.name = "layers", .include_regex = "_(in|out)put_[0-9]+$"}}, .save = tt::every(2)});
  auto tap = tt::tap(hook, net);
  Tensor output;
  for (int i = 0; i < 3; ++i) {
    tap.begin_step();
    output = tap.forward(tokens);
    output.sum().backward();
  }
  CHECK(tap.notes().empty());
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.steps() == std::vector<std::int64_t>{0, 2});
  CHECK(names_of(trial) == std::set<std::string>{"Plain_input_0", "Plain_output_0", "embedding_input_0",
                                                 "embedding_output_0", "norm_input_0", "norm_output_0", "lstm_input_0",
                                                 "lstm_output_0", "lstm_output_1", "lstm_output_2", "flat_input_0",
                                                 "flat_input_1", "flat_output_0", "flat_output_1", "unbiased_input_0",
                                                 "unbiased_output_0"});
  const auto saved = [&](const std::string& name) { return read(trial, name, 2); };
  CHECK(torch::equal(saved("embedding_input_0"), tokens));
  CHECK(torch::equal(saved("embedding_output_0"), net->embedding->weight.detach().index({tokens})));
  CHECK(torch::equal(saved("lstm_input_0"), saved("norm_output_0")));
  CHECK(torch::equal(saved("lstm_output_0")[-1], saved("lstm_output_1")[0]));
  CHECK(saved("flat_input_0").dim() == 3);
  CHECK(torch::allclose(saved("flat_output_0"),
                        torch::linear(saved("flat_input_0"), net->flat->weight, net->flat->bias)));
  CHECK(saved("flat_output_0").min().item<float>() < 0);
  CHECK(torch::equal(saved("flat_input_1"), saved("flat_output_0").relu().flatten(0, 1)));
  CHECK(torch::equal(saved("unbiased_output_0"), output));
}

namespace {

/// A module with one layer of any class.
struct OneImpl : torch::nn::Module {
  Tensor forward(const Tensor& x) { return run(x); }
  std::function<Tensor(const Tensor&)> run;
};
TORCH_MODULE(One);

/// Returns how many tensors of the layer were saved, if the first ones are what went in and came out.
template <class Layer>
std::size_t tensors_of(Layer layer, const Tensor& input) {
  const auto store = std::make_shared<tt::MemoryStore>();
  One net;
  net->register_module("layer", layer);
  net->run = [&](const Tensor& x) {
    auto out = layer->forward(x);
    if constexpr (std::is_same_v<decltype(out), Tensor>) {
      return out;
    } else {
      return std::get<0>(out);
    }
  };
  tt::Hook hook(store, {.collections = {{.name = "sides", .include_regex = "put_[0-9]$"}}, .save = tt::every(1)});
  auto tap = tt::tap(hook, net);
  tap.begin_step();
  (void)tap.forward(input);
  hook.close();
  const tt::Trial trial(store);
  CHECK(torch::equal(read(trial, "layer_input_0"), input));
  CHECK(torch::equal(read(trial, "layer_output_0"), read(trial, "One_output_0")));
  return trial.tensors().size() - 2;
}

}  // namespace

TEST_CASE("each class of layers with parameters is found", "[adapters][torch]") {
  using namespace torch::nn;
  const Tensor rows = torch::rand({3, 4}), line = torch::rand({2, 4, 6}), image = torch::rand({2, 4, 6, 6}),
               volume = torch::rand({2, 4, 6, 6, 6});
  CHECK(tensors_of(Linear(4, 2), rows) == 2);
  CHECK(tensors_of(Linear(LinearOptions(6, 2).bias(false)), line) == 2);
  CHECK(tensors_of(Conv1d(4, 2, 3), line) == 2);
  CHECK(tensors_of(Conv2d(Conv2dOptions(4, 2, 3).padding(torch::kSame)), image) == 2);
  CHECK(tensors_of(Conv3d(4, 2, 3), volume) == 2);
  CHECK(tensors_of(ConvTranspose1d(4, 2, 3), line) == 2);
  CHECK(tensors_of(ConvTranspose2d(4, 2, 3), image) == 2);
  CHECK(tensors_of(ConvTranspose3d(4, 2, 3), volume) == 2);
  CHECK(tensors_of(BatchNorm1d(4), line) == 2);
  CHECK(tensors_of(BatchNorm3d(4), volume) == 2);
  CHECK(tensors_of(InstanceNorm2d(InstanceNorm2dOptions(4).affine(true)), image) == 2);
  CHECK(tensors_of(GroupNorm(2, 4), image) == 2);
  CHECK(tensors_of(PReLU(), rows) == 2);
  CHECK(tensors_of(RNN(6, 3), line) == 3);
  CHECK(tensors_of(GRU(6, 3), line) == 3);
  CHECK(tensors_of(LSTM(6, 3), line) == 4);
}

TEST_CASE("without find_layers only calls and Sequentials show layers", "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  NetImpl net;  // no shared_ptr owns it
  tt::Hook hook(store, {.collections = {{.name = "outputs", .include_regex = "_output_"}}, .save = tt::every(1)});
  auto tap = tt::tap(hook, net, {.find_layers = false});
  net.eval();
  tap.begin_step();
  (void)tap.forward(torch::rand({1, 1, 8, 8}));
  (void)net.forward(torch::rand({1, 1, 8, 8}));  // not through the tap: nothing is saved
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.steps(tt::Mode::eval).size() == 1);
  CHECK(names_of(trial) == std::set<std::string>{"Net_output_0", "features_output_0", "features.0_output_0",
                                                 "features.1_output_0", "features.2_output_0", "block_output_0",
                                                 "block.relu_output_0"});
}

namespace {

/// A module on the meta device.
struct ShapesImpl : torch::nn::Module {
  Tensor forward(const Tensor& x) { return x.matmul(weight).tanh(); }
  Tensor weight = register_parameter("weight", torch::empty({2, 2}, torch::Device(torch::kMeta)));
};

}  // namespace

TEST_CASE("nothing is touched that is not due", "[adapters][torch]") {
  // A meta tensor has no elements: each attempt to read one becomes a note.
  const auto net = std::make_shared<ShapesImpl>();
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), {.collections = {{.name = "all"}}, .save = tt::at({2})});
  auto tap = tt::tap(hook, net);
  const auto step = [&] {
    tap.begin_step();
    const Tensor output = tap.forward(torch::empty({3, 2}, torch::Device(torch::kMeta)));
    tap.loss("loss", output.sum()).backward();
  };
  step();
  step();
  CHECK(tap.notes().empty());
  step();
  std::vector<std::string> expected;
  for (const char* name :
       {"Shapes_input_0", "Shapes_output_0", "Shapes_weight", "gradient/Shapes_weight", "loss_output_0"})
    expected.push_back("tap: tensor \"" + std::string(name) + "\": it is a meta tensor, which has no elements");
  CHECK(tap.notes() == expected);
}

TEST_CASE("tensors of all kinds are saved as they are, or noted", "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  torch::nn::Embedding embedding(torch::nn::EmbeddingOptions(5, 3).sparse(true));
  torch::nn::Linear half(2, 2);
  half->to(torch::kBFloat16);
  tt::Hook hook(store, save_all());
  auto tap = tt::tap(hook, embedding);
  auto other = tt::tap(hook, half, {.name = "Half"});
  tap.begin_step();
  other.save_state();
  embedding(torch::tensor({1, 3, 1})).sum().backward();
  REQUIRE(embedding->weight.grad().is_sparse());
  const Tensor x = torch::arange(6, torch::kFloat32).reshape({2, 3});
  tap.save("strided", x.t());
  tap.save("expanded", torch::ones({1, 1}).expand({2, 3}));
  tap.save("half", x.to(torch::kFloat16));
  tap.save("conj", torch::complex(x, x).conj());
  tap.save("scalar", torch::tensor(2.5));
  tap.save("empty", torch::empty({0, 3}));
  tap.save("undefined", Tensor());
  tap.output("undefined", Tensor());
  tap.save("quantized", torch::quantize_per_tensor(x, 1, 0, torch::kQInt8));
  CHECK(tap.notes().empty());
  tap.save("nine axes", torch::ones({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  REQUIRE(tap.notes().size() == 1);
  CHECK_THAT(tap.notes().front(), contains("tap: tensor \"nine axes\": "));
  hook.close();
  const tt::Trial trial(store);
  CHECK(torch::equal(read(trial, "gradient/Embedding_weight"), embedding->weight.grad().to_dense()));
  CHECK(read(trial, "Half_weight").scalar_type() == torch::kBFloat16);
  CHECK(torch::equal(read(trial, "Half_weight"), half->weight));
  CHECK(torch::equal(read(trial, "strided"), x.t()));
  CHECK(torch::equal(read(trial, "expanded"), torch::ones({2, 3})));
  CHECK(torch::equal(read(trial, "half"), x.to(torch::kFloat16)));
  CHECK(torch::equal(read(trial, "conj"), torch::complex(x, -x)));
  CHECK(read(trial, "scalar").dim() == 0);
  CHECK(read(trial, "empty").sizes() == c10::IntArrayRef{0, 3});
  CHECK(torch::equal(read(trial, "quantized"), x));
  CHECK_FALSE(names_of(trial).contains("undefined"));
  CHECK_FALSE(names_of(trial).contains("undefined_output_0"));
}

TEST_CASE("a tap is removed without a trace, and either side may go first", "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  torch::nn::Linear net(2, 1);
  const auto backward = [&] { net(torch::ones({1, 2})).sum().backward(); };
  tt::Hook hook(store, save_all());
  {
    auto tap = tt::tap(hook, net);
    backward();  // before the first step
    tap.begin_step();
    backward();
    auto moved = std::move(tap);
    moved.begin_step();
    backward();
  }
  hook.begin_step();
  backward();  // the module goes on without the tap
  hook.save("still", 1);
  std::optional<tt::TorchTap<torch::nn::LinearImpl>> last;
  {
    torch::nn::Linear gone(2, 2);
    last.emplace(tt::tap(hook, gone, {.name = "Gone"}));
  }
  last->begin_step();  // the tap keeps the module
  hook.close();
  backward();
  last.reset();  // after the end of the run
  const tt::Trial trial(store);
  CHECK(trial.tensor("gradient/Linear_weight").steps() == std::vector<std::int64_t>{0, 1});
  CHECK(trial.tensor("Gone_weight").steps() == std::vector<std::int64_t>{3});
}

TEST_CASE("a layer that is thawed has gradients from the next step on; with several passes the last counts",
          "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  torch::nn::Linear net(2, 1);
  net->weight.set_requires_grad(false);
  tt::Hook hook(store, save_all());
  auto tap = tt::tap(hook, net);
  for (int i = 0; i < 2; ++i) {
    tap.begin_step();
    for (const float x : {1.0F, 3.0F}) (tap.forward(torch::full({1, 2}, x)) * x).sum().backward();
    net->weight.set_requires_grad(true);
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("gradient/Linear_weight").steps() == std::vector<std::int64_t>{1});
  CHECK(read(trial, "gradient/Linear_weight", 1)[0][0].item<float>() == 9);
  CHECK(read(trial, "gradient/Linear_bias", 1)[0].item<float>() == 3);
  CHECK(net->weight.grad()[0][0].item<float>() == 10);
}

TEST_CASE("backward passes on several threads are saved", "[adapters][torch]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<torch::nn::Linear> nets;
  for (int i = 0; i < 4; ++i) nets.emplace_back(8, 8);
  torch::nn::Sequential all(nets[0], nets[1], nets[2], nets[3]);
  tt::Hook hook(store, save_all());
  auto tap = tt::tap(hook, all);
  constexpr int steps = 20;
  for (int i = 0; i < steps; ++i) {
    tap.begin_step();
    std::vector<std::thread> threads;
    for (auto& net : nets)
      threads.emplace_back([&net, &tap] { tap.loss("loss", net(torch::ones({1, 8})).sum()).backward(); });
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(tap.notes().empty());
  hook.close();
  const tt::Trial trial(store);
  for (const std::string i : {"0", "1", "2", "3"}) {
    CHECK(trial.tensor("gradient/Sequential_" + i + ".weight").steps().size() == steps);
    CHECK(torch::equal(read(trial, "gradient/Sequential_" + i + ".weight", steps - 1), torch::ones({8, 8})));
    CHECK(trial.tensor("loss_output_" + i).steps().size() == steps);
  }
}

TEST_CASE("each optimizer shows what it keeps, under Python's names", "[adapters][torch]") {
  using namespace torch::optim;
  const auto variables = [](auto make) {
    const auto store = std::make_shared<tt::MemoryStore>();
    torch::nn::Linear net(torch::nn::LinearOptions(2, 1).bias(false));
    auto optimizer = make(net->parameters());
    tt::Hook hook(store, {.collections = {{.name = "v", .include_regex = "^optimizer/Linear"}}, .save = tt::every(1)});
    auto tap = tt::tap(hook, net, {.optimizer = &optimizer});
    for (int i = 0; i < 2; ++i) {
      tap.begin_step();
      optimizer.zero_grad();
      const Tensor loss = net(torch::ones({1, 2})).square().sum();
      loss.backward();
      optimizer.step([&] { return loss; });
    }
    CHECK(tap.notes().empty());
    hook.close();
    std::set<std::string> out;
    for (const std::string& name : names_of(tt::Trial(store))) out.insert(name.substr(name.rfind('/') + 1));
    return out;
  };
  using Names = std::set<std::string>;
  using Parameters = std::vector<Tensor>;
  CHECK(variables([](const Parameters& p) { return SGD(p, SGDOptions(0.1)); }).empty());
  CHECK(variables([](const Parameters& p) { return Adam(p, AdamOptions().amsgrad(true)); }) ==
        Names{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"});
  CHECK(variables([](const Parameters& p) { return AdamW(p); }) == Names{"exp_avg", "exp_avg_sq"});
  CHECK(variables([](const Parameters& p) { return RMSprop(p, RMSpropOptions().momentum(0.5).centered(true)); }) ==
        Names{"square_avg", "momentum_buffer", "avg"});
  CHECK(variables([](const Parameters& p) { return Adagrad(p); }) == Names{"sum"});
}

TEST_CASE("rules judge a run of a tap", "[adapters][torch]") {
  torch::manual_seed(3);
  const auto store = std::make_shared<tt::MemoryStore>();
  torch::nn::Sequential net;
  for (int i = 0; i < 12; ++i) {
    net->push_back(torch::nn::Linear(16, 16));
    net->push_back(torch::nn::Sigmoid());
  }
  torch::optim::SGD optimizer(net->parameters(), 1e-3);
  const tt::VanishingGradient rule{.save = tt::every(1)};
  std::vector<tt::Collection> collections = tt::required_by({rule});
  tt::Hook hook(store, {.collections = collections});
  auto tap = tt::tap(hook, net);
  const Tensor input = torch::rand({8, 16});
  for (int i = 0; i < 12; ++i) {
    tap.begin_step();
    optimizer.zero_grad();
    tap.loss("mse_loss", torch::mse_loss(tap.forward(input), input)).backward();
    optimizer.step();
  }
  hook.close();
  const tt::Verdict verdict = tt::evaluate(tt::Trial(store), {rule});
  REQUIRE(verdict.rules.size() == 1);
  CHECK(verdict.rules[0].status == tt::RuleStatus::issues_found);
  REQUIRE_FALSE(verdict.findings.empty());
  CHECK_THAT(verdict.findings.front().tensor, contains("gradient/Sequential_"));
}

TEST_CASE("a stored tensor becomes a torch tensor without a copy", "[adapters][torch]") {
  tt::Tensor tensor(tt::DType::f32, {2, 3});
  tensor.as<float>()[4] = 7;
  const void* const elements = tensor.bytes().data();
  Tensor out = tt::to_torch(std::move(tensor));
  CHECK(out.data_ptr() == elements);
  CHECK(out.sizes() == c10::IntArrayRef{2, 3});
  out = out.reshape({6}).slice(0, 3);  // a view keeps the memory
  CHECK(out[1].item<float>() == 7);

  for (const auto& [theirs, ours] : torch_types) {
    const Tensor before = torch::tensor({0, 1, 1}).to(theirs);
    const tt::Tensor stored(tt::as_view(before));
    REQUIRE(stored.dtype() == ours);
    const Tensor after = tt::to_torch(stored);
    CHECK(after.scalar_type() == theirs);
    CHECK(torch::equal(after, before));
  }
  CHECK(tt::to_torch(tt::Tensor(tt::DType::f64, {})).dim() == 0);
  CHECK(tt::to_torch(tt::Tensor(tt::DType::f64, {0, 2})).sizes() == c10::IntArrayRef{0, 2});
  CHECK_THROWS_WITH(tt::to_torch(tt::Tensor(std::vector<std::string>{"a"})),
                    contains("its elements are str, not of a type"));
  CHECK_THROWS_AS(tt::to_torch(tt::Tensor(tt::DType::u32, {1})), tt::Error);
}

TEST_CASE("the class of a module has the name that Python would show", "[adapters][torch]") {
  CHECK(tt::detail::class_name_of("torch::nn::SequentialImpl") == "Sequential");
  CHECK(tt::detail::class_name_of("(anonymous namespace)::NetImpl") == "Net");
  CHECK(tt::detail::class_name_of("my::Net<float, std::less<int> >") == "Net");
  CHECK(tt::detail::class_name_of("main::{lambda(std::vector<int>)#1}::operator()(std::vector<int>) const::Net") ==
        "Net");
  CHECK(tt::detail::class_name_of("Net") == "Net");
  CHECK(tt::detail::class_name_of("Impl") == "Impl");
}
