#include <tensortap/rules/builtin/input_range.hpp>
#include <tensortap/rules/judge.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

StepOfMap input_step(std::int64_t number, const tt::Tensor& tensor, const std::string& name = "fc1_input_0") {
  return StepOfMap({tt::Mode::train, number, number}, {{name, tensor}});
}

/// Returns the findings of the third of three equal steps.
std::vector<tt::Finding> found(const tt::Tensor& tensor, const std::string& name = "fc1_input_0",
                               const tt::InputRange& range = {}) {
  Shown rule(range);
  CHECK(rule(input_step(0, tensor, name)).empty());
  CHECK(rule(input_step(1, tensor, name)).empty());
  return rule(input_step(2, tensor, name));
}

}  // namespace

TEST_CASE("inputs that are too large, too small or constant are found", "[rules][input_range]") {
  const auto pixels = found(tensor_of({0, 255, 128, 3}, {1, 1, 2, 2}));
  REQUIRE(pixels.size() == 1);
  CHECK(pixels[0].severity == tt::Severity::advice);
  CHECK(pixels[0].tensor == "fc1_input_0");
  CHECK(pixels[0].value == Approx(std::sqrt((255. * 255 + 128 * 128 + 9) / 4)));
  CHECK(pixels[0].threshold == 10);
  CHECK_THAT(pixels[0].message, contains("divided by 255"));
  CHECK_THAT(found(tensor_of({-300.5, 20})).at(0).message, contains("scale the inputs"));
  CHECK(found(tensor_of({1e-5, -1e-4})).at(0).threshold == 1e-3);
  CHECK_THAT(found(tensor_of({0.5, 0.5, 0.5})).at(0).message, contains("all 3 elements are 0.5"));
}

TEST_CASE("usual inputs are no finding", "[rules][input_range]") {
  CHECK(found(tensor_of({-1, 1.5})).empty());
  CHECK(found(tensor_of({0, 1, 0.3})).empty());
  CHECK(found(tensor_of({9.5, -10})).empty());
  CHECK(found(tensor_of({7})).empty());
  CHECK(found(tensor_of({})).empty());
  CHECK(found(tensor_of({100, 200}), "embedding0_input_0").empty());  // tokens
  tt::Tensor integers(tt::DType::i64, {2});
  integers.as<std::int64_t>()[0] = 1000;
  CHECK(found(integers).empty());
  CHECK(found(tensor_of({3, 17, 200})).empty());                   // tokens as real numbers
  CHECK(found(tensor_of({100.5, 200}), "relu1_input_0").empty());  // not what enters the network
  CHECK(found(tensor_of({100.5, 200}), "fc1_output_0").empty());
  CHECK(found(tensor_of({100.5, 200}), "model/inputs").size() == 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(found(tensor_of({nan, nan, nan})).empty());
  CHECK(found(tensor_of({nan, 1.5, -1})).empty());
}

TEST_CASE("an input outside the range must be there several times in a row", "[rules][input_range]") {
  const std::vector<tt::Rule> rules = {tt::InputRange{.patience = 2}};
  const tt::Judge whole(rules);
  const tt::Judge first(rules);
  const auto show = [](const tt::Judge& judge, std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) judge(input_step(i, tensor_of({i == 1 || i > 2 ? 50.5 : 1.5, -1})));
  };
  show(whole, 0, 6);
  REQUIRE(whole.verdict().findings.size() == 1);
  CHECK(whole.verdict().findings[0].step.global_step == 4);
  CHECK(whole.verdict().findings[0].count == 2);
  show(first, 0, 4);
  const tt::Judge second(rules);
  REQUIRE(second.restore(first.state()));
  show(second, 4, 6);
  CHECK(second.verdict() == whole.verdict());
}

TEST_CASE("limits of inputs that mean nothing are refused", "[rules][input_range]") {
  CHECK_THROWS(Shown(tt::InputRange{.max_rms = std::nan("")})(input_step(0, tensor_of({1, 2}))));
  CHECK_THROWS(Shown(tt::InputRange{.min_rms = -1})(input_step(0, tensor_of({1, 2}))));
  CHECK_THROWS(Shown(tt::InputRange{.patience = 0})(input_step(0, tensor_of({1, 2}))));
}
