#include <tensortap/rules/builtin/poor_weight_initialization.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::PoorWeightInitialization;

namespace {

/// A network of some layers.
struct Network {
  std::function<double(std::size_t layer, std::int64_t step, std::size_t i)> weight =
      [](std::size_t layer, std::int64_t, std::size_t i) { return noise(100 * layer + i); };
  std::function<double(std::size_t layer)> output = [](std::size_t) { return 1.0; };
  std::function<double(std::size_t layer)> gradient = [](std::size_t) { return 1.0; };
  std::function<double(std::int64_t step)> loss = [](std::int64_t) { return 1.0; };
  std::size_t layers = 5;
  std::vector<std::int64_t> shape = {3, 4};

  [[nodiscard]] Steps steps(std::int64_t count, Saved saved = Saved::elements) const {
    return train_steps(
        count,
        [&](std::int64_t step) {
          StepOfList::Tensors out;
          const auto at = static_cast<std::size_t>(step);
          for (std::size_t k = 0; k < layers; ++k)
            out.emplace_back("Net_fc" + std::to_string(k) + ".weight",
                             filled(shape, [&](std::size_t i) { return weight(k, step, i); }));
          for (std::size_t k = 0; k < layers; ++k) {
            const auto z = [&](std::size_t i) { return output(k) * noise(i + 31 * at + 1000 * k); };
            out.emplace_back("fc" + std::to_string(k) + "_output_0", filled({8, 3}, z));
            out.emplace_back("relu" + std::to_string(k) + "_input_0", filled({8, 3}, z));
          }
          out.emplace_back("CrossEntropyLoss_output_0", numbers({loss(step)}));
          for (std::size_t k = layers; k-- > 0;)
            out.emplace_back("gradient/Net_fc" + std::to_string(k) + ".weight",
                             filled(shape, [&](std::size_t i) { return gradient(k) * noise(i + 17 * at + 5000 * k); }));
          return out;
        },
        saved);
  }
};

const auto constant = [](double value, std::size_t of_layer) {
  return
      [=](std::size_t layer, std::int64_t, std::size_t i) { return layer == of_layer ? value : noise(50 * layer + i); };
};

}  // namespace

TEST_CASE("a healthy initialisation is no finding", "[rules][poor_weight_initialization]") {
  CHECK(judged(PoorWeightInitialization{}, Network{}.steps(80)).empty());
}

TEST_CASE("weights that are constant, still after ten steps, are found", "[rules][poor_weight_initialization]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions})
    for (const double value : {0.0, 0.5}) {
      const auto findings = judged(PoorWeightInitialization{}, Network{.weight = constant(value, 1)}.steps(15, saved));
      REQUIRE(tensors_of(findings) == Names{"Net_fc1.weight"});
      CHECK(findings[0].step.mode_step == 10);
      CHECK(findings[0].value == value);
    }
}

TEST_CASE("a last layer of zeros, a norm of ones, and zeros that soon move are no finding",
          "[rules][poor_weight_initialization]") {
  CHECK(judged(PoorWeightInitialization{}, Network{.weight = constant(0, 4)}.steps(15)).empty());
  CHECK(judged(PoorWeightInitialization{}, Network{.weight = constant(1, 1)}.steps(15)).empty());
  CHECK(judged(PoorWeightInitialization{}, Network{.weight = constant(0.9, 1), .shape = {12}}.steps(15)).empty());
  const auto moves = [](std::size_t layer, std::int64_t step, std::size_t i) {
    return step == 0 ? 0 : noise(50 * layer + i);
  };
  CHECK(judged(PoorWeightInitialization{}, Network{.weight = moves}.steps(15)).empty());
  const auto with_nan = [](std::size_t layer, std::int64_t step, std::size_t i) {
    return step == 3 && i == 0 ? not_a_number : constant(0, 1)(layer, step, i);
  };
  CHECK(tensors_of(judged(PoorWeightInitialization{}, Network{.weight = with_nan}.steps(15))) ==
        Names{"Net_fc1.weight"});
}

TEST_CASE("variances that are too far apart are an advice, and an error if the loss stays",
          "[rules][poor_weight_initialization]") {
  const Network shrinks{.output = [](std::size_t layer) { return std::pow(0.1, static_cast<double>(layer)); }};
  const auto findings = judged(PoorWeightInitialization{}, shrinks.steps(80));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].tensor == "fc4_output_0");
  CHECK(findings[0].step.mode_step == 0);
  CHECK(findings[0].last_step == 9);
  CHECK(findings[1].severity == tt::Severity::error);
  CHECK(findings[1].step.mode_step == 60);
  Network learns = shrinks;
  learns.loss = [](std::int64_t step) { return 1 - 0.005 * static_cast<double>(step); };
  CHECK(tensors_of(judged(PoorWeightInitialization{}, learns.steps(80))).empty());
}

TEST_CASE("gradients that grow from layer to layer are evidence, too", "[rules][poor_weight_initialization]") {
  const auto grows = [](double factor) {
    return Network{.gradient = [=](std::size_t layer) { return std::pow(factor, static_cast<double>(layer)); }};
  };
  const auto findings = judged(PoorWeightInitialization{}, grows(6).steps(80));
  CHECK(tensors_of(findings, tt::Severity::advice) == Names{"gradient/Net_fc0.weight"});
  CHECK(tensors_of(findings) == Names{"gradient/Net_fc0.weight"});
  CHECK(judged(PoorWeightInitialization{}, grows(2).steps(80)).empty());
}

TEST_CASE("the documented rule judges the first steps", "[rules][poor_weight_initialization]") {
  const auto falls = [](std::int64_t step) { return 1 / (1 + static_cast<double>(step)); };
  PoorWeightInitialization rule = PoorWeightInitialization::smdebug();
  rule.activation_inputs_regex = ".*relu.*_input";
  CHECK(judged(rule, Network{.loss = falls}.steps(20)).empty());

  const Network varied{.output = [](std::size_t layer) { return layer == 2 ? 0.1 : 1; }, .loss = falls};
  const auto variances = judged(rule, varied.steps(20));
  REQUIRE(tensors_of(variances) == Names{"relu2_input_0"});
  CHECK(variances[0].count == 10);  // steps 0 to 9

  const Network narrow{.gradient = [](std::size_t layer) { return layer == 3 ? 1e-4 : 1; }, .loss = falls};
  CHECK(tensors_of(judged(rule, narrow.steps(20))) == Names{"gradient/Net_fc3.weight"});

  const Network stays{.loss = [](std::int64_t step) { return step == 0 ? 2.0 : 1.0; }};
  const auto losses = judged(rule, stays.steps(20));
  REQUIRE(tensors_of(losses) == Names{"CrossEntropyLoss_output_0"});
  CHECK(losses[0].step.mode_step == 6);  // the best is that of step 1
}

TEST_CASE("parameters of initial weights", "[rules][poor_weight_initialization]") {
  tt::Rule rule = PoorWeightInitialization{};
  rule.set("threshold", "50");
  rule.set("confirm_step", "0");
  const Network varied{.output = [](std::size_t layer) { return layer == 2 ? 0.1 : 1; }};
  CHECK(tensors_of(judged(rule, varied.steps(3))) == Names{"fc2_output_0"});
  CHECK_THROWS_WITH(tt::Judge({PoorWeightInitialization{.slope = not_a_number}})(StepOfList({}, {})),
                    contains("PoorWeightInitialization"));
}

TEST_CASE("new weights that are much too large are an error while the loss is not small",
          "[rules][poor_weight_initialization]") {
  struct Case {
    double size = 10;
    double bias = 0;
    double loss = 0.3;
    std::string name = "fc";
  };
  const auto found_in = [](const Case& one, Saved saved = Saved::elements) {
    const auto steps = train_steps(
        80,
        [&](std::int64_t step) {
          return StepOfList::Tensors{
              {one.name + ".weight", filled({3, 4}, [&](std::size_t i) { return one.size * noise(i); })},
              {one.name + ".bias", numbers({step == 0 ? one.bias : 0.1, 0})},
              {"loss", numbers({step == 0 ? 1 : one.loss})}};
        },
        saved);
    return tensors_of(judged(PoorWeightInitialization{}, steps));
  };
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions})
    CHECK(found_in({}, saved) == Names{"fc.weight"});
  CHECK(found_in({.size = 1}).empty());
  CHECK(found_in({.size = 6}) == Names{"fc.weight"});
  CHECK(found_in({.size = 6, .bias = 0.3}).empty());                 // it goes on from trained weights
  CHECK(found_in({.size = 10, .bias = 0.3}) == Names{"fc.weight"});  // no training makes such ones
  CHECK(found_in({.size = 10, .bias = 0.3, .loss = 0.2}).empty());
  CHECK(found_in({.loss = 0.01}).empty());
  CHECK(found_in({.name = "embedding"}).empty());
}
