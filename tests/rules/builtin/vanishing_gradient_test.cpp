#include <tensortap/rules/builtin/vanishing_gradient.hpp>
#include <tensortap/rules/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "rules/builtin/judged_steps.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using R = tt::Reduction;
using tt::VanishingGradient;

namespace {

/// Returns whether the documented rule finds these gradients at a threshold of 0.5.
bool fires(const std::vector<double>& gradients) {
  VanishingGradient rule = VanishingGradient::smdebug();
  rule.threshold = 0.5;
  const Steps steps = train_steps(1, [&](std::int64_t) {
    return StepOfList::Tensors{{"gradient/w", numbers(gradients)}};
  });
  return !judged(rule, steps).empty();
}

/// A network of four layers whose gradients, from the first to the last, have these sizes, and whose weights move by
/// these shares in each step.
struct DeepNetwork {
  std::vector<double> gradients = {1, 1, 1, 1};
  std::vector<double> moves = {1e-3, 1e-3, 1e-3, 1e-3};
  double loss = 1;
  bool has_weights = true;

  [[nodiscard]] StepOfList::Tensors tensors(std::int64_t step) const {
    StepOfList::Tensors out;
    for (std::size_t layer = 0; layer < gradients.size() && has_weights; ++layer)
      out.emplace_back("fc" + std::to_string(layer) + ".weight", filled({4, 4}, [&](std::size_t i) {
                         return noise(i + 100 * layer) * (1 + moves[layer] * static_cast<double>(step));
                       }));
    out.emplace_back("loss", numbers({loss}));
    for (std::size_t layer = gradients.size(); layer-- > 0;)
      out.emplace_back("gradient/fc" + std::to_string(layer) + ".weight", filled({4, 4}, [&](std::size_t i) {
                         return gradients[layer] * noise(i + 7 * static_cast<std::size_t>(step) + 1000 * layer);
                       }));
    return out;
  }
  [[nodiscard]] Steps steps(std::int64_t count, Saved saved = Saved::elements) const {
    return train_steps(
        count, [&](std::int64_t step) { return tensors(step); }, saved);
  }
};

}  // namespace

TEST_CASE("gradients vanish below the threshold, and not at it", "[rules][vanishing_gradient]") {
  CHECK(fires({0.25, -0.25}));
  CHECK(fires({0}));
  CHECK(fires({std::nextafter(0.5, 0)}));
  CHECK_FALSE(fires({0.5, -0.5}));
  CHECK_FALSE(fires({1, 0}));
  CHECK_FALSE(fires({-5, 5}));  // the mean of magnitudes counts
  CHECK_FALSE(fires({}));
  CHECK_FALSE(fires({not_a_number, 0}));
  CHECK_FALSE(fires({infinite, 0}));
  CHECK_FALSE(fires({-infinite, 0, 0, 0}));
}

TEST_CASE("a threshold that finds nothing is refused", "[rules][vanishing_gradient]") {
  const StepOfList step({tt::Mode::train, 0, 0}, {{"gradient/w", numbers({1})}});
  for (const double threshold : {not_a_number, -1.0, -1e-9}) {
    CAPTURE(threshold);
    CHECK_THROWS_WITH(tt::Judge({VanishingGradient{.threshold = threshold}})(step),
                      contains("rule: VanishingGradient: the threshold is negative or not a number"));
  }
  CHECK_THROWS(tt::Judge({VanishingGradient{.ratio_threshold = -1}})(step));
}

TEST_CASE("each gradient below the plain threshold is found, with its mean magnitude", "[rules][vanishing_gradient]") {
  const Steps steps = {
      {{tt::Mode::train, 5, 8},
       {{"gradient/a", numbers({1e-8, -3e-8})}, {"gradient/b", numbers({1})}, {"gradient/c", numbers({0})}}}};
  const auto findings = judged(VanishingGradient::smdebug(), steps);
  REQUIRE(tensors_of(findings) == Names{"gradient/a", "gradient/c"});
  CHECK(findings[0].rule == "VanishingGradient");
  CHECK(findings[0].step == tt::Step{tt::Mode::train, 5, 8});
  CHECK(findings[0].value == Approx(2e-8));
  CHECK(findings[0].message ==
        "its mean magnitude is 2e-08, below 1e-07; look at the layers behind it, for saturated and dead units");
  CHECK(tensors_of(judged(VanishingGradient{}, steps), tt::Severity::advice) == Names{"gradient/a", "gradient/c"});
}

TEST_CASE("an early layer with a small gradient that hardly moves is found after five checks",
          "[rules][vanishing_gradient]") {
  const DeepNetwork network{.gradients = {1e-5, 1, 1, 1}, .moves = {1e-7, 1e-3, 1e-3, 1e-3}};
  CHECK(judged(VanishingGradient{}, network.steps(4)).empty());
  const auto findings = judged(VanishingGradient{}, network.steps(8));
  REQUIRE(tensors_of(findings) == Names{"gradient/fc0.weight"});
  CHECK(findings[0].step.global_step == 4);
  CHECK(findings[0].value == Approx(1e-5).epsilon(0.3));
  CHECK(findings[0].threshold == 1e-3);
  CHECK(findings[0].count == 4);
  CHECK(tensors_of(judged(VanishingGradient{}, network.steps(8, Saved::statistics))) == Names{"gradient/fc0.weight"});
  CHECK(tensors_of(judged(VanishingGradient{}, network.steps(8, Saved::few_reductions))) ==
        Names{"gradient/fc0.weight"});
  DeepNetwork without = network;
  without.has_weights = false;
  CHECK(tensors_of(judged(VanishingGradient{}, without.steps(8))) == Names{"gradient/fc0.weight"});
}

TEST_CASE("an optimizer that makes up for small gradients, and a training that works, are advice",
          "[rules][vanishing_gradient]") {
  const DeepNetwork adam{.gradients = {1e-5, 1, 1, 1}};
  CHECK(tensors_of(judged(VanishingGradient{}, adam.steps(8))).empty());
  CHECK(tensors_of(judged(VanishingGradient{}, adam.steps(8)), tt::Severity::advice) == Names{"gradient/fc0.weight"});
  Steps steps = DeepNetwork{.gradients = {1e-5, 1, 1, 1}, .loss = 2, .has_weights = false}.steps(4);
  for (std::int64_t i = 4; i < 30; ++i)
    steps.emplace_back(tt::Step{tt::Mode::train, i, i},
                       DeepNetwork{.gradients = {1e-5, 1, 1, 1}, .loss = 0.01, .has_weights = false}.tensors(i));
  const auto findings = judged(VanishingGradient{}, steps);
  REQUIRE(findings.size() == 2);  // an error in the beginning, and later an advice
  CHECK(findings[1].severity == tt::Severity::advice);
}

TEST_CASE("healthy gradients are no finding", "[rules][vanishing_gradient]") {
  CHECK(judged(VanishingGradient{}, DeepNetwork{}.steps(20)).empty());
  // The last layer may have the smallest gradient.
  CHECK(
      judged(VanishingGradient{}, DeepNetwork{.gradients = {1, 1, 1, 1e-5}, .moves = {0, 0, 0, 0}}.steps(20)).empty());
  // A zero-initialised output layer makes all hidden gradients zero in step 0.
  Steps steps = DeepNetwork{.gradients = {0, 0, 0, 1}, .moves = {1e-7, 0, 0, 0}}.steps(1);
  for (std::int64_t i = 1; i < 10; ++i)
    steps.emplace_back(tt::Step{tt::Mode::train, i, i}, DeepNetwork{.moves = {1e-7, 0, 0, 0}}.tensors(i));
  CHECK(tensors_of(judged(VanishingGradient{}, steps)).empty());
}

TEST_CASE("a gradient that is NaN neither silences the rule nor enters its medians", "[rules][vanishing_gradient]") {
  Steps steps;
  for (std::int64_t i = 0; i < 12; ++i) {
    const double bad = i == 3 ? not_a_number : i == 5 ? infinite : 1;
    steps.emplace_back(tt::Step{tt::Mode::train, i, i},
                       DeepNetwork{.gradients = {1e-5 * bad, bad, 1, 1}, .moves = {1e-7, 1e-3, 1e-3, 1e-3}}.tensors(i));
  }
  const auto findings = judged(VanishingGradient{}, steps);
  REQUIRE(tensors_of(findings) == Names{"gradient/fc0.weight"});
  CHECK(findings[0].step.global_step == 6);
}

TEST_CASE("gradients that are mostly exact zeros are found, not those of embeddings or inputs",
          "[rules][vanishing_gradient]") {
  const auto steps_with = [](const std::string& name, double share, double loss = 1) {
    return train_steps(60, [&](std::int64_t step) {
      return StepOfList::Tensors{{"loss", numbers({step == 0 ? 1 : loss})},
                                 {"gradient/fc3.weight", numbers({1, 2})},
                                 {"gradient/" + name, filled({100}, [&](std::size_t i) {
                                    return static_cast<double>(i) < share ? 0.0 : 1.0;
                                  })}};
    });
  };
  const auto findings = judged(VanishingGradient{}, steps_with("fc5.weight", 70));
  REQUIRE(tensors_of(findings) == Names{"gradient/fc5.weight"});
  CHECK(findings.back().step.mode_step == 50);
  CHECK(findings.size() == 1);
  CHECK(tensors_of(judged(VanishingGradient{}, steps_with("fc5.weight", 70, 0.8))).empty());
  CHECK(judged(VanishingGradient{}, steps_with("fc5.weight", 90, 0.1)).empty());
  CHECK(judged(VanishingGradient{}, steps_with("fc5.weight", 69)).empty());
  CHECK(judged(VanishingGradient{}, steps_with("fc0.weight", 90)).empty());  // pixels that are always black
  CHECK(judged(VanishingGradient{}, steps_with("word_embeddings.weight", 90)).empty());
}

TEST_CASE("a vanishing gradient is found in elements, reductions and statistics", "[rules][vanishing_gradient]") {
  const auto save = [](const std::string& name, const tt::Tensor& tensor) {
    auto store = std::make_shared<tt::MemoryStore>();
    const HandWriter writer(store);
    writer.put_collections(1, {{.name = "gradients", .include_regex = "^gradient"}});
    writer.put({tt::Mode::train, 0, 0}, {{name, tensor}});
    writer.close();
    return tt::Trial(std::shared_ptr<const tt::Store>(store));
  };
  const auto found = [&](const std::string& name, const tt::Tensor& tensor) {
    return tt::evaluate(save(name, tensor), {VanishingGradient{.threshold = 0.5}}).findings.size();
  };
  const auto record_of = [](const std::vector<double>& elements) {
    const auto record = tt::statistics(elements).to_record();
    return numbers({record.begin(), record.end()});
  };
  const std::string w = "gradient/w";
  for (const bool small : {true, false}) {
    const double g = small ? 0.25 : 0.5;
    const std::size_t expected = small ? 1 : 0;
    CHECK(found(w, numbers({g, -g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::abs_mean, w), numbers({g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({g, -g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::mean, w), numbers({g})) == 0);  // it does not tell the mean magnitude
    CHECK(found("weight", numbers({g})) == 0);                                  // not a gradient
  }
  CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({0.25, not_a_number})) == 0);
  CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({0.25, infinite})) == 0);
  CHECK(found(tt::layout::reduction_record(R::abs_mean, w), numbers({not_a_number})) == 0);
  CHECK(found(tt::layout::reduction_record(R::abs_mean, w), numbers({})) == 0);
  CHECK(found(w, tt::Tensor(std::vector<std::string>{"text"})) == 0);
}

TEST_CASE("vanishing gradients are found in a golden run", "[rules][vanishing_gradient]") {
  const tt::Trial trial((golden::directory() / "basic").string());
  CHECK(tt::evaluate(trial, {VanishingGradient{}}).findings.empty());
  const auto all = tt::evaluate(trial, {VanishingGradient{.threshold = 1e9}}).findings;
  const auto gradients = trial.tensors({.collection = "gradients"});
  REQUIRE(all.size() == gradients.size());
  for (const auto& finding : all)
    for (const auto& gradient : gradients)
      if (gradient.name() == finding.tensor) CHECK(finding.count == static_cast<std::int64_t>(gradient.steps().size()));
}

TEST_CASE("a training that learns in spite of zeros in its gradient has recovered", "[rules][vanishing_gradient]") {
  const auto found_if = [](double later) {
    DeepNetwork network{.gradients = {1, 1, 0, 1}};
    const Steps steps = train_steps(160, [&](std::int64_t step) {
      network.loss = step < 80 ? 1 : later;
      return network.tensors(step);
    });
    return judged(VanishingGradient{}, steps);
  };
  const auto has_error = [](const std::vector<tt::Finding>& found) {
    return std::any_of(found.begin(), found.end(),
                       [](const tt::Finding& one) { return one.severity == tt::Severity::error; });
  };
  CHECK(has_error(found_if(1)));
  CHECK_FALSE(has_error(found_if(0.05)));
  CHECK_FALSE(VanishingGradient::smdebug().recovers());
}
