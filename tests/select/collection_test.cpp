#include <tensortap/select/collection.hpp>

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

TEST_CASE("a collection saves elements unless it saves reductions or the shape", "[select][collection]") {
  CHECK(tt::Collection{.name = "a"}.saves_raw());
  CHECK_FALSE(tt::Collection{.name = "a", .reductions = {R::min}}.saves_raw());
  CHECK_FALSE(tt::Collection{.name = "a", .save_shape = true}.saves_raw());
  CHECK(tt::Collection{.name = "a", .reductions = {R::min}, .save_raw_tensor = true}.saves_raw());
  CHECK(tt::Collection{.name = "a", .save_raw_tensor = true, .save_shape = true}.saves_raw());
  CHECK_FALSE(tt::Collection{.name = "a", .save_raw_tensor = false}.saves_raw());
}

TEST_CASE("a set of reductions is in the order of files, without duplicates", "[select][collection]") {
  const tt::Reductions reductions = {R::abs_l2, R::statistics, R::abs_max, R::l1, R::std, R::min, R::std, R::abs_l1};
  const std::vector<R> expected = {R::std, R::min, R::l1, R::abs_max, R::abs_l2, R::abs_l1, R::statistics};
  CHECK(std::vector<R>(reductions.begin(), reductions.end()) == expected);
}

namespace {

/// Returns which of the collections with names of their own for C++ find `name`: "losses", "gradients weights".
std::string found_by(const std::string& name) {
  std::string out;
  for (const char* collection : {"losses", "gradients", "weights", "biases"})
    if (tt::Pattern(tt::builtin_pattern(collection).value()).finds(name))
      out += (out.empty() ? "" : " ") + std::string(collection);
  return out;
}

}  // namespace

TEST_CASE("built-in collections find the names that programs in C++ use", "[select][collection]") {
  // The rows of the table in select/README.md, then more of their kind.
  const auto [collection, names] =
      GENERATE(std::pair<std::string, std::vector<std::string>>{"losses",
                                                                {"loss",
                                                                 "Loss",
                                                                 "val_loss",
                                                                 "train/loss",
                                                                 "loss/total",
                                                                 "loss0",
                                                                 "trainLoss",
                                                                 "losses/0",
                                                                 "weighted_loss",
                                                                 "gradient_penalty_loss",
                                                                 "LOSS",
                                                                 "loss_total",
                                                                 "loss.total",
                                                                 "loss[0]",
                                                                 "kl-loss",
                                                                 "train:loss",
                                                                 "bias_loss",
                                                                 "grad_loss",
                                                                 "lossTotal",
                                                                 "CrossEntropyLoss_output_0",
                                                                 "CrossEntropyLoss",
                                                                 "softmaxcrossentropyloss0_output_0"}},
               std::pair<std::string, std::vector<std::string>>{"gradients",
                                                                {"w.grad",
                                                                 "fc1.weight.grad",
                                                                 "fc1.bias.grad",
                                                                 "gradient/fc1.weight",
                                                                 "gradient/w",
                                                                 "grad/w",
                                                                 "grad_w",
                                                                 "fc1_grad",
                                                                 "weightGrad",
                                                                 "dW1",
                                                                 "dW_1",
                                                                 "dW[0]",
                                                                 "dW_hh",
                                                                 "db_h",
                                                                 "db",
                                                                 "train/grad/fc1.weight",
                                                                 "grad",
                                                                 "gradients/0",
                                                                 "grad.fc1",
                                                                 "conv1_grad_weight",
                                                                 "Gradient/w",
                                                                 "gradW",
                                                                 "fc1.dW",
                                                                 "grad/norm.weight",
                                                                 "grad_b",
                                                                 "w.grad_0",
                                                                 "loss.grad",
                                                                 "grad/loss_fn.weight",
                                                                 "layer.grads",
                                                                 "layer1.grad.bias",
                                                                 "fc1/weight/gradient",
                                                                 "gradient/Net_conv0.bias"}},
               std::pair<std::string, std::vector<std::string>>{"weights",
                                                                {"weight",
                                                                 "fc1.weight",
                                                                 "fc1/weight",
                                                                 "fc1_weight",
                                                                 "weights/0",
                                                                 "weight_ih_l0",
                                                                 "fc1Weight",
                                                                 "w",
                                                                 "W1",
                                                                 "W_1",
                                                                 "W[0]",
                                                                 "w.2",
                                                                 "W_hh",
                                                                 "fc1.W",
                                                                 "0.weight",
                                                                 "fc1.weight_orig",
                                                                 "conv0_weight",
                                                                 "w2",
                                                                 "layer1/w",
                                                                 "norm.weight",
                                                                 "loss_fn.weight",
                                                                 "Net_conv0.weight"}},
               std::pair<std::string, std::vector<std::string>>{
                   "biases",
                   {"bias", "fc1.bias", "fc1/bias", "fc1_bias", "biases/1", "bias_ih_l0", "fc1Bias", "b", "b1", "b_1",
                    "b[0]", "b_h", "fc1.b", "in_proj_bias", "Net_conv0.bias"}},
               std::pair<std::string, std::vector<std::string>>{"",
                                                                {"accuracy",
                                                                 "loss_scale",
                                                                 "lossless",
                                                                 "glossary",
                                                                 "weight_decay",
                                                                 "weight_norm",
                                                                 "grad_norm",
                                                                 "w.grad_norm",
                                                                 "gradual",
                                                                 "degrade",
                                                                 "CrossEntropyLoss_input_0",
                                                                 "lossScale",
                                                                 "unbiased",
                                                                 "weighted",
                                                                 "grad/norm",
                                                                 "total_grad_norm",
                                                                 "grad_scale",
                                                                 "gradNorm",
                                                                 "debug",
                                                                 "db_size",
                                                                 "fc1.weight.exp_avg",
                                                                 "xW",
                                                                 "number",
                                                                 "Wx",
                                                                 "fc1.weight.grad.norm",
                                                                 "bias_correction1"}});
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(found_by(name) == collection);
  }
}

TEST_CASE("the other built-in collections have smdebug's patterns", "[select][collection]") {
  for (const char* name : {"all", "relu_output", "relu_input", "hyperparameters", "predictions", "labels",
                           "feature_importance", "average_shap", "full_shap", "trees"})
    CHECK(tt::builtin_pattern(name) == tt::smdebug_pattern(name));
}

TEST_CASE("smdebug's patterns are those of smdebug", "[select][collection]") {
  const auto finds = [](const char* collection, const char* name) {
    return tt::Pattern(tt::smdebug_pattern(collection).value()).finds(name);
  };
  CHECK(finds("all", "anything"));
  CHECK(finds("all", ""));
  CHECK(finds("weights", "fc1.weight"));
  CHECK_FALSE(finds("weights", "gradient/fc1.weight"));
  CHECK(finds("biases", "fc1.bias"));
  CHECK_FALSE(finds("biases", "gradient/fc1.bias"));
  CHECK(finds("gradients", "gradient/fc1.bias"));
  CHECK_FALSE(finds("gradients", "my_gradient"));
  CHECK(finds("losses", "NLLLoss_output_0"));
  CHECK_FALSE(finds("losses", "loss"));
  CHECK(finds("relu_input", "relu1_relu_input_0"));
  CHECK_FALSE(finds("relu_input", "relu1_relu_output_0"));
  CHECK(finds("relu_output", "relu1_relu_output_0"));
  CHECK(finds("predictions", "predictions"));
  CHECK_FALSE(finds("predictions", "predictions_1"));
  CHECK(finds("labels", "labels"));
  CHECK(finds("hyperparameters", "hyperparameters/eta"));
  CHECK(finds("feature_importance", "feature_importance/weight/f0"));
  CHECK(finds("average_shap", "average_shap/f0"));
  CHECK_FALSE(finds("average_shap", "average_shap/bias"));
  CHECK(finds("full_shap", "full_shap/f0"));
  CHECK(finds("trees", "trees/Tree"));
}

TEST_CASE("other collections have no default pattern", "[select][collection]") {
  for (const char* name : {"", "gradient", "Weights", "default", "metrics", "optimizer_variables", "all "}) {
    CAPTURE(name);
    CHECK_FALSE(tt::builtin_pattern(name));
    CHECK_FALSE(tt::smdebug_pattern(name));
  }
}
