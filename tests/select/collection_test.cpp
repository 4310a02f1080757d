#include <tensortap/select/collection.hpp>

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

TEST_CASE("built-in collections have smdebug's patterns", "[select][collection]") {
  const auto finds = [](const char* collection, const char* name) {
    return tt::Pattern(tt::builtin_pattern(collection).value()).finds(name);
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
  }
}
