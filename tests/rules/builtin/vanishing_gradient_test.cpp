#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/vanishing_gradient.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "reduce/expected.hpp"
#include "rules/step_of_map.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
using expected::inf;

/// Returns whether the rule finds these gradients at a threshold of 0.5.
bool fires(const std::vector<double>& gradients) {
  const StepOfMap step({tt::Mode::train, 0, 0}, {{"gradient/w", tensor_of(gradients)}});
  return !tt::VanishingGradient{.threshold = 0.5}(step).empty();
}

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
  CHECK_FALSE(fires({inf, 0}));
  CHECK_FALSE(fires({-inf, 0, 0, 0}));
}

TEST_CASE("a threshold that finds nothing is refused", "[rules][vanishing_gradient]") {
  const StepOfMap step({tt::Mode::train, 0, 0}, {{"gradient/w", tensor_of({1})}});
  for (const double threshold : {not_a_number, -1.0, -1e-9}) {
    CAPTURE(threshold);
    CHECK_THROWS_WITH((tt::VanishingGradient{.threshold = threshold}(step)),
                      contains("rule: VanishingGradient: the threshold is negative or not a number"));
  }
  CHECK(tt::VanishingGradient{.threshold = 0}(step).empty());
}

TEST_CASE("each vanishing gradient is found, with its mean magnitude", "[rules][vanishing_gradient]") {
  const StepOfMap step({tt::Mode::train, 5, 8},
                       {{"a", tensor_of({1e-8, -3e-8})}, {"b", tensor_of({1})}, {"c", tensor_of({0})}});
  const auto findings = tt::Rule(tt::VanishingGradient{})(step);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].rule == "VanishingGradient");
  CHECK(findings[0].tensor == "a");
  CHECK(findings[0].step == tt::Step{tt::Mode::train, 5, 8});
  CHECK(findings[0].value == Approx(2e-8));
  CHECK(findings[0].message == "its mean magnitude is 2e-08, below 1e-07");
  CHECK(findings[1].tensor == "c");
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
    return tt::evaluate(save(name, tensor), {tt::VanishingGradient{.threshold = 0.5}}).size();
  };
  const auto record_of = [](const std::vector<double>& elements) {
    const auto record = tt::statistics(elements).to_record();
    return tensor_of({record.begin(), record.end()});
  };
  const std::string w = "gradient/w";
  for (const bool small : {true, false}) {
    const double g = small ? 0.25 : 0.5;
    const std::size_t expected = small ? 1 : 0;
    CHECK(found(w, tensor_of({g, -g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::abs_mean, w), tensor_of({g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({g, -g})) == expected);
    CHECK(found(tt::layout::reduction_record(R::mean, w), tensor_of({g})) ==
          0);                                     // the mean does not tell the mean magnitude
    CHECK(found("weight", tensor_of({g})) == 0);  // not a gradient
  }
  CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({0.25, not_a_number})) == 0);
  CHECK(found(tt::layout::reduction_record(R::statistics, w), record_of({0.25, inf})) == 0);
  CHECK(found(tt::layout::reduction_record(R::abs_mean, w), tensor_of({not_a_number})) == 0);
  CHECK(found(tt::layout::reduction_record(R::abs_mean, w), tensor_of({})) == 0);
  CHECK(found(w, tt::Tensor(std::vector<std::string>{"text"})) == 0);
}

TEST_CASE("vanishing gradients are found in a golden run", "[rules][vanishing_gradient]") {
  const tt::Trial trial((golden::directory() / "basic").string());
  CHECK(tt::evaluate(trial, {tt::VanishingGradient{}}).empty());
  const auto all = tt::evaluate(trial, {tt::VanishingGradient{.threshold = 1e9}});
  std::size_t gradients = 0;
  for (const auto& tensor : trial.tensors({.collection = "gradients"})) gradients += tensor.steps().size();
  CHECK(all.size() == gradients);
  CHECK(gradients > 0);
}
