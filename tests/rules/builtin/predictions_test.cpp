// NotBetterThanConstant and PredictionCollapse.
#include <tensortap/rules/builtin/not_better_than_constant.hpp>
#include <tensortap/rules/builtin/prediction_collapse.hpp>

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

/// Returns a run of predictions that are right with a probability, else of any class.
Run run_of(double right, std::size_t classes = 4, int steps = 200, bool only_counts = false) {
  Run run;
  run.only_counts = only_counts;
  Noise noise(0);
  for (int i = 0; i < steps; ++i) run.only(tt::Mode::train, answers(noise, 20, classes, right));
  return run;
}

/// Returns a run of labels of which one in ten is 1, and predictions: all 0, or right with a probability.
Run imbalanced(double right) {
  Run run;
  Noise noise(0);
  for (int i = 0; i < 300; ++i) {
    std::vector<std::int64_t> labels;
    std::vector<std::int64_t> predictions;
    for (int k = 0; k < 20; ++k) {
      labels.push_back(noise.below(10) == 0 ? 1 : 0);
      predictions.push_back(static_cast<double>(noise.below(100)) < 100 * right ? labels.back() : 0);
    }
    run.only(tt::Mode::train, {{"labels", classes_of(labels)}, {"predictions", classes_of(predictions)}});
  }
  return run;
}

/// Returns a run of numbers from -1 to 1 that are predicted with a share of their size, and noise.
Run two_numbers(double share, double noise_size) {
  Run run("MSELoss_output_0");
  Noise noise(1);
  for (int i = 0; i < 300; ++i) {
    std::vector<double> labels;
    std::vector<double> predictions;
    for (int k = 0; k < 20; ++k) {
      labels.push_back(noise() - 1);
      predictions.push_back(share * labels.back() + noise_size * (noise() - 1));
    }
    run.train(1, {{"MSELoss_input_0", tensor_of(predictions)}, {"MSELoss_input_1", tensor_of(labels)}});
  }
  return run;
}

}  // namespace

TEST_CASE("predictions that do not depend on the labels are found", "[rules][not_better_than_constant]") {
  const auto found = judge(tt::NotBetterThanConstant{}, run_of(0));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK(found[0].tensor.empty());
  CHECK(found[0].step.mode_step == 79);  // the second block of 200 after step 60
  CHECK(found[0].value < found[0].threshold);
  CHECK(judge(tt::NotBetterThanConstant{}, run_of(0.4)).empty());
  CHECK(judge(tt::NotBetterThanConstant{}, run_of(0, 4, 75)).empty());  // too early
}

TEST_CASE("the most frequent label alone is no merit, and exceeding it is not needed",
          "[rules][not_better_than_constant]") {
  CHECK(judge(tt::NotBetterThanConstant{}, imbalanced(0)).size() == 1);
  CHECK(judge(tt::NotBetterThanConstant{}, imbalanced(0.6)).empty());
}

TEST_CASE("numbers no better than their mean are found", "[rules][not_better_than_constant]") {
  CHECK(judge(tt::NotBetterThanConstant{}, two_numbers(0, 0)).size() == 1);
  CHECK(judge(tt::NotBetterThanConstant{}, two_numbers(1, 3)).size() == 1);
  CHECK(judge(tt::NotBetterThanConstant{}, two_numbers(0.5, 0.1)).empty());
}

TEST_CASE("a collapse to one class is found", "[rules][prediction_collapse]") {
  const auto run_with = [](std::size_t classes) {
    Run run;
    Noise noise(0);
    for (int i = 0; i < 150; ++i) {
      Tensors more = answers(noise, 20, 4, 0);
      std::vector<std::int64_t> predictions;
      for (int k = 0; k < 20; ++k) predictions.push_back(static_cast<std::int64_t>(noise.below(classes)));
      more["predictions"] = classes_of(predictions);
      run.only(tt::Mode::train, more);
    }
    return run;
  };
  const auto found = judge(tt::PredictionCollapse{}, run_with(1));
  REQUIRE(found.size() == 1);
  CHECK(found[0].value == 1);
  CHECK(found[0].step.mode_step == 79);
  CHECK(judge(tt::PredictionCollapse{}, run_with(2)).empty());
  CHECK(judge(tt::PredictionCollapse{}, imbalanced(0)).empty());  // the labels are almost all the same, too
}

TEST_CASE("a collapse to one number is found", "[rules][prediction_collapse]") {
  CHECK(judge(tt::PredictionCollapse{}, two_numbers(0.001, 0)).size() == 1);
  CHECK(judge(tt::PredictionCollapse{}, two_numbers(0.1, 0)).empty());
}

TEST_CASE("counts of classes show a collapse as the elements do", "[rules][prediction_collapse]") {
  const auto steps_of = [](bool only_counts) {
    Run run;
    run.only_counts = only_counts;
    Noise noise(0);
    for (int i = 0; i < 200; ++i) {
      auto step = answers(noise, 20, 4, 0);
      step["predictions"] = classes_of(std::vector<std::int64_t>(20, 2));
      run.train(1.4, step);
    }
    return run;
  };
  const auto found = judge(tt::PredictionCollapse{}, steps_of(false));
  REQUIRE(found.size() == 1);
  CHECK(judge(tt::PredictionCollapse{}, steps_of(true)) == found);
  CHECK(judge(tt::PredictionCollapse{}, run_of(0.9, 4, 200, true)).empty());
  CHECK(judge(tt::NotBetterThanConstant{}, steps_of(true)).empty());  // which predictions are right is unknown
}
