#include <tensortap/rules/builtin/gradient_spike.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::GradientSpike;

namespace {

Steps steps_with(const std::function<double(std::int64_t)>& gradient) {
  return train_steps(100, [&](std::int64_t step) {
    const double size = gradient(step);
    return StepOfList::Tensors{{"gradient/fc.weight", numbers({size, -size})}};
  });
}

double noisy(std::int64_t step) { return 1 + 0.1 * noise(static_cast<std::uint64_t>(step)); }

}  // namespace

TEST_CASE("a step with a far larger gradient than before is an advice", "[rules][gradient_spike]") {
  const auto findings =
      judged(GradientSpike{}, steps_with([](std::int64_t step) { return step == 80 ? 5 : noisy(step); }));
  REQUIRE(tensors_of(findings, tt::Severity::advice) == Names{"gradient/fc.weight"});
  CHECK(findings[0].step.mode_step == 80);
  CHECK(findings[0].count == 1);
  CHECK(findings[0].value == Approx(5));
}

TEST_CASE("one spike does not hide the next, nor does NaN", "[rules][gradient_spike]") {
  const auto findings =
      judged(GradientSpike{}, steps_with([](std::int64_t step) {
               return step == 70 ? not_a_number : step == 71 ? infinite : step >= 80 && step < 83 ? 5 : noisy(step);
             }));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].count == 3);
}

TEST_CASE("a spike in the first steps, and less than three times the median of a smooth series, are no finding",
          "[rules][gradient_spike]") {
  CHECK(judged(GradientSpike{}, steps_with([](std::int64_t step) { return step == 63 ? 5 : noisy(step); })).empty());
  CHECK(judged(GradientSpike{}, steps_with([](std::int64_t step) { return step == 80 ? 2.9 : 1.0; })).empty());
  CHECK(judged(GradientSpike{}, steps_with([](std::int64_t step) { return step == 80 ? 3.1 : 1.0; })).size() == 1);
}

TEST_CASE("noise in the gradient of a loss that is almost zero is no finding", "[rules][gradient_spike]") {
  CHECK(judged(GradientSpike{}, steps_with([](std::int64_t step) {
                 return step < 66 ? noisy(step) : step == 98 ? 0.9 : 1e-3 * noisy(step);
               }))
            .empty());
}

TEST_CASE("parameters of gradient spikes", "[rules][gradient_spike]") {
  tt::Rule rule = GradientSpike{};
  rule.set("min_checks", "10");
  CHECK(judged(rule, steps_with([](std::int64_t step) { return step == 12 ? 5 : noisy(step); })).size() == 1);
  rule.set("num_sigma", "1000");
  CHECK(judged(rule, steps_with([](std::int64_t step) { return step == 12 ? 5 : noisy(step); })).empty());
  CHECK_THROWS_WITH(tt::Judge({GradientSpike{.num_sigma = -1}})(StepOfList({}, {})), contains("GradientSpike"));
}
