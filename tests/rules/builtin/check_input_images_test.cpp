#include <tensortap/rules/builtin/check_input_images.hpp>
#include <tensortap/rules/judge.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

/// Returns a batch of images of two channels, all elements of which are `first` and `second`.
tt::Tensor images(std::int64_t count, double first, double second) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    for (const double channel : {first, second}) numbers.insert(numbers.end(), 6, channel);
  return tensor_of(numbers, {count, 2, 2, 3});
}

StepOfMap step(std::int64_t number, const tt::Tensor& tensor, const std::string& name = "conv0_input_0") {
  return StepOfMap({tt::Mode::train, number, number}, {{name, tensor}, {"conv0_output_0", tensor}});
}

}  // namespace

TEST_CASE("images with a mean far from 0 are found once enough were seen", "[rules][check_input_images]") {
  Shown rule(tt::CheckInputImages{.threshold_samples = 100});
  CHECK(rule(step(0, images(60, 0, 0.3))).empty());
  const auto findings = rule(step(1, images(40, 0, 0.3)));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].tensor == "conv0_input_0");
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].value == Approx(0.3));
  CHECK(findings[0].threshold == 0.2);
  CHECK_THAT(findings[0].message, contains("the mean of channel 1 over 100 images is 0.3"));
  CHECK(rule(step(2, images(10, 0, -9))).at(0).value == Approx(-60. / 110));  // the mean of all of them
}

TEST_CASE("images with a mean near 0 are no finding", "[rules][check_input_images]") {
  const auto found = [](const tt::CheckInputImages& rule, const tt::Tensor& tensor) {
    return !Shown(rule)(step(0, tensor)).empty();
  };
  CHECK_FALSE(found({.threshold_samples = 10}, images(10, 0.2, -0.2)));  // at the threshold
  CHECK(found({.threshold_samples = 10}, images(10, 0, -0.21)));
  CHECK_FALSE(found({.threshold_samples = 11}, images(10, 9, 9)));
  CHECK_FALSE(found({.threshold_samples = 0}, tensor_of({9, 9}, {1, 2})));  // no images
  CHECK_FALSE(found({.threshold_samples = 0}, tensor_of({}, {0, 2, 2, 3})));
  CHECK(found({.threshold_samples = 0, .channel = 3}, tensor_of({9, 0, 9, 0}, {2, 1, 1, 2})));
  CHECK_FALSE(Shown(tt::CheckInputImages::smdebug())(step(0, images(500, 1, 1), "conv0_input_0")).size() > 0);
  CHECK(Shown(tt::CheckInputImages::smdebug())(step(0, images(500, 1, 1), "hybridsequential0_input_0")).size() == 1);
}

TEST_CASE("images that hold NaN are judged by the rest", "[rules][check_input_images]") {
  tt::Tensor tensor = images(10, 0, 1);
  tensor.as<double>()[0] = std::numeric_limits<double>::quiet_NaN();
  tensor.as<double>()[1] = std::numeric_limits<double>::infinity();
  CHECK(Shown(tt::CheckInputImages{.threshold_samples = 10})(step(0, tensor)).at(0).value == 1);
  for (double& x : tensor.as<double>()) x = std::numeric_limits<double>::quiet_NaN();
  CHECK(Shown(tt::CheckInputImages{.threshold_samples = 10})(step(0, tensor)).empty());
}

TEST_CASE("images are counted across a resume", "[rules][check_input_images]") {
  const std::vector<tt::Rule> rules = {tt::CheckInputImages{.threshold_samples = 100}};
  const tt::Judge first(rules);
  first(step(0, images(60, 1, 0)));
  const tt::Judge second(rules);
  REQUIRE(second.restore(first.state()));
  second(step(1, images(40, 1, 0)));
  REQUIRE(second.verdict().findings.size() == 1);
  CHECK(second.verdict().findings[0].value == 1);
}

TEST_CASE("thresholds of images that mean nothing are refused", "[rules][check_input_images]") {
  CHECK_THROWS(Shown(tt::CheckInputImages{.threshold_mean = -1})(step(0, images(1, 0, 0))));
  CHECK_THROWS(Shown(tt::CheckInputImages{.threshold_samples = -1})(step(0, images(1, 0, 0))));
  CHECK_THROWS(Shown(tt::CheckInputImages{.channel = 0})(step(0, images(1, 0, 0))));
  CHECK_THROWS(Shown(tt::CheckInputImages{.channel = 4})(step(0, images(1, 0, 0))));
}
