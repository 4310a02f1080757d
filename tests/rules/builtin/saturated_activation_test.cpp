#include <tensortap/rules/builtin/saturated_activation.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::SaturatedActivation;

namespace {

/// Returns 5 examples of 4 units: the first two have the magnitude `large`, the others 0.5.
tt::Tensor values(double large) {
  return filled({5, 4}, [&](std::size_t i) { return (i % 4 < 2 ? large : 0.5) * (i % 3 == 0 ? -1 : 1); });
}

Steps steps_with(const std::string& name, const tt::Tensor& value, double small_gradient = 1e-6,
                 std::int64_t count = 10) {
  return train_steps(count, [&](std::int64_t) {
    return StepOfList::Tensors{{name, value},
                               {"loss", numbers({1})},
                               {"gradient/fc1.weight", numbers({1, 1})},
                               {"gradient/fc0.weight", numbers({small_gradient, 0})}};
  });
}

}  // namespace

TEST_CASE("a layer is found when half of its units were saturated in eight checks", "[rules][saturated_activation]") {
  for (const auto& [name, value] : {std::pair<std::string, double>{"tanh0_input_0", 5.0},
                                    {"tanh0_output_0", std::tanh(5.0)},
                                    {"sigmoid0_input_0", 9.0}}) {
    CAPTURE(name);
    const auto findings = judged(SaturatedActivation{}, steps_with(name, values(value)));
    REQUIRE(tensors_of(findings) == Names{name});
    CHECK(findings[0].step.mode_step == 7);
    CHECK(findings[0].value == 50);
    CHECK(judged(SaturatedActivation{}, steps_with(name, values(value), 1e-6, 7)).empty());
  }
  CHECK(judged(SaturatedActivation{}, steps_with("tanh0_input_0", values(4.1))).empty());
  CHECK(judged(SaturatedActivation{}, steps_with("sigmoid0_input_0", values(5))).empty());
  CHECK(judged(SaturatedActivation{}, steps_with("relu0_input_0", values(50))).empty());
}

TEST_CASE("statistics of units give the findings of elements, for the usual limits", "[rules][saturated_activation]") {
  const tt::Reductions asked = SaturatedActivation{}.required()[0].reductions;
  CHECK(asked == tt::Reductions{tt::Reduction::statistics, tt::Reduction::units});
  CHECK(SaturatedActivation::smdebug().required()[0].saves_raw());
  CHECK(SaturatedActivation{.threshold_tanh_max = 4}.required()[0].saves_raw());
  for (const char* name : {"tanh0_input_0", "tanh0_output_0", "sigmoid0_input_0", "sigmoid0_output_0"}) {
    CAPTURE(name);
    const bool is_sigmoid = name[0] == 's';
    const bool is_output = std::string(name).find("output") != std::string::npos;
    const auto steps_of = [&](Saved saved) {
      return train_steps(
          20,
          [&](std::int64_t step) {
            return StepOfList::Tensors{{name, filled({8, 12},
                                                     [&](std::size_t i) {
                                                       const double z =
                                                           (i % 12 < 7 ? 30 : 8) *
                                                           noise(i + static_cast<std::uint64_t>(step) * 999);
                                                       if (!is_output) return z;
                                                       return is_sigmoid ? 1 / (1 + std::exp(-z)) : std::tanh(z);
                                                     })},
                                       {"loss", numbers({1})}};
          },
          saved);
    };
    const SaturatedActivation rule{.threshold_inactivity = 45, .threshold_layer = 5};
    const auto findings = judged(rule, steps_of(Saved::elements));
    CHECK_FALSE(findings.empty());
    CHECK(judged(rule, steps_of(Saved::units_and_statistics)) == findings);
    SaturatedActivation other = rule;  // whose limits are hardly different, so that it reads the elements
    other.threshold_tanh_max = std::nextafter(other.threshold_tanh_max, 9);
    other.threshold_sigmoid_max = std::nextafter(other.threshold_sigmoid_max, 9);
    CHECK(judged(other, steps_of(Saved::elements)) == findings);
    CHECK(judged(other, steps_of(Saved::units_and_statistics)).empty());
  }
}

TEST_CASE("saturated outputs of sigmoid are near 0 or 1", "[rules][saturated_activation]") {
  const auto outputs = [](double y) { return filled({5, 4}, [&](std::size_t i) { return i % 4 < 2 ? y : 0.4; }); };
  CHECK(tensors_of(judged(SaturatedActivation{}, steps_with("sigmoid1_output_0", outputs(1e-5)))).size() == 1);
  CHECK(tensors_of(judged(SaturatedActivation{}, steps_with("sigmoid1_output_0", outputs(1 - 1e-5)))).size() == 1);
  CHECK(judged(SaturatedActivation{}, steps_with("sigmoid1_output_0", outputs(0.999))).empty());
}

TEST_CASE("saturation is an advice while gradients pass, until the loss stays at its first value",
          "[rules][saturated_activation]") {
  const auto some = judged(SaturatedActivation{}, steps_with("tanh0_input_0", values(9), 0.5));
  CHECK(tensors_of(some).empty());
  CHECK(tensors_of(some, tt::Severity::advice) == Names{"tanh0_input_0"});
  const auto many = judged(SaturatedActivation{}, steps_with("tanh0_input_0", values(9), 0.5, 30));
  REQUIRE(tensors_of(many) == Names{"tanh0_input_0"});
  CHECK(many.back().step.mode_step == 20);
}

TEST_CASE("outputs of tanh and sigmoid are known by their elements", "[rules][saturated_activation]") {
  for (const bool is_tanh : {true, false}) {
    const auto z = [](std::size_t i) { return (i % 4 < 2 ? 20 : 0.5) * (i % 3 == 0 ? -1 : 1); };
    const auto y = [&](std::size_t i) { return is_tanh ? std::tanh(z(i)) : 1 / (1 + std::exp(-z(i))); };
    const Steps steps = train_steps(30, [&](std::int64_t) {
      return StepOfList::Tensors{{"fc0_output_0", filled({5, 4}, z)},
                                 {"fc1_input_0", filled({5, 4}, y)},
                                 {"fc1_output_0", filled({5, 2}, z)},
                                 {"loss", numbers({1})}};
    });
    CHECK(tensors_of(judged(SaturatedActivation{}, steps)) == Names{"fc1_input_0"});
  }
}

TEST_CASE("a confident prediction is not saturated, nor a unit that is only sometimes",
          "[rules][saturated_activation]") {
  const tt::Tensor confident = filled({10, 1}, [](std::size_t i) { return i % 2 == 0 ? 1e-6 : 1 - 1e-6; });
  const Steps steps = train_steps(10, [&](std::int64_t) {
    return StepOfList::Tensors{{"sigmoid_output_0", confident},
                               {"BCELoss_input_0", confident},
                               {"gradient/fc0.weight", numbers({1e-9})},
                               {"gradient/fc1.weight", numbers({1})}};
  });
  CHECK(judged(SaturatedActivation{}, steps).empty());
  const tt::Tensor sometimes = filled({5, 4}, [](std::size_t i) { return i / 4 == 0 ? 0.1 : 9.0; });  // 1 example of 5
  CHECK(judged(SaturatedActivation{}, steps_with("tanh0_input_0", sometimes)).empty());
}

TEST_CASE("the documented rule judges inputs of each batch by themselves", "[rules][saturated_activation]") {
  const auto smdebug = SaturatedActivation::smdebug();
  const auto units = [](double x) { return filled({4, 4}, [&](std::size_t i) { return i % 4 < 3 ? x : 0.0; }); };
  const auto findings = judged(smdebug, steps_with("tanh_input", units(9.5), 1, 1));
  REQUIRE(tensors_of(findings) == Names{"tanh_input"});
  CHECK(findings[0].value == 75);
  CHECK(judged(smdebug, steps_with("tanh_input", units(9.4998), 1, 1)).empty());
  CHECK(judged(smdebug, steps_with("sigmoid_input", units(17), 1, 1)).size() == 1);
  CHECK(judged(smdebug, steps_with("sigmoid_input", units(-17), 1, 1)).empty());
  CHECK(judged(smdebug, steps_with("sigmoid_input", units(-23), 1, 1)).size() == 1);
  CHECK(judged(smdebug, steps_with("tanh_output", units(50), 1, 1)).empty());
  CHECK(judged(smdebug, steps_with("tanh_input", values(50), 1, 1)).empty());  // half is not more than half
  tt::Rule rule = SaturatedActivation{};
  rule.set("threshold_tanh_max", "100");
  rule.set("threshold_tanh_min", "-100");
  CHECK(judged(rule, steps_with("tanh0_input_0", values(9))).empty());
}

TEST_CASE("limits and percentages that make no sense are refused", "[rules][saturated_activation]") {
  const StepOfList step({tt::Mode::train, 0, 0}, {});
  for (const SaturatedActivation& rule :
       {SaturatedActivation{.threshold_tanh_max = not_a_number}, SaturatedActivation{.threshold_layer = -1},
        SaturatedActivation{.num_checks = 0}})
    CHECK_THROWS_WITH(tt::Judge({rule})(step), contains("SaturatedActivation"));
}
