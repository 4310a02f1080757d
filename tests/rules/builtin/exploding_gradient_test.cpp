#include <tensortap/rules/builtin/exploding_gradient.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::ExplodingGradient;

namespace {

Steps steps_with(const std::function<double(std::int64_t)>& gradient, const std::function<double(std::int64_t)>& loss,
                 Saved saved = Saved::elements) {
  return train_steps(
      40,
      [&](std::int64_t step) {
        return StepOfList::Tensors{{"loss", numbers({loss(step)})},
                                   {"gradient/fc1.weight", numbers({0.1, -0.1})},
                                   {"gradient/fc0.weight", numbers({gradient(step), -gradient(step)})}};
      },
      saved);
}

const auto steady = [](std::int64_t) { return 1.0; };
const auto rises = [](std::int64_t step) { return step < 20 ? 1.0 : 1.0 + static_cast<double>(step - 19); };
const auto explodes = [](std::int64_t step) { return step < 20 ? 1.0 : 11.0; };

}  // namespace

TEST_CASE("a gradient that is ten times its median in five steps, while the loss rises, is found",
          "[rules][exploding_gradient]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    const auto findings = judged(ExplodingGradient{}, steps_with(explodes, rises, saved));
    REQUIRE(tensors_of(findings) == Names{"gradient/fc0.weight"});
    CHECK(findings[0].step.mode_step == 24);
    CHECK(findings[0].value == Approx(11));
    CHECK(findings[0].threshold == Approx(10));
  }
}

TEST_CASE("a gradient that explodes while the loss does not rise, or that rises later, is no finding",
          "[rules][exploding_gradient]") {
  CHECK(judged(ExplodingGradient{}, steps_with(explodes, steady)).empty());
  CHECK(
      judged(ExplodingGradient{}, steps_with([](std::int64_t step) { return step < 20 ? 1.0 : 9.9; }, rises)).empty());
  CHECK(judged(ExplodingGradient{}, steps_with([](std::int64_t step) { return step % 5 == 4 ? 99.0 : 1.0; }, rises))
            .empty());
  CHECK(judged(ExplodingGradient{}, steps_with(steady, rises)).empty());
}

TEST_CASE("a gradient that is not finite is found at once, and enters no median", "[rules][exploding_gradient]") {
  for (const double bad : {not_a_number, infinite})
    for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
      const auto once = [&](std::int64_t step) { return step == 7 ? bad : explodes(step); };
      const auto findings = judged(ExplodingGradient{}, steps_with(once, rises, saved));
      REQUIRE(findings.size() == 1);
      CHECK(findings[0].step.mode_step == 7);
      CHECK(findings[0].count == 17);  // and steps 24 to 39
    }
}

TEST_CASE("parameters of exploding gradients", "[rules][exploding_gradient]") {
  tt::Rule rule = ExplodingGradient{};
  rule.set("factor", "11");
  CHECK(judged(rule, steps_with(explodes, rises)).empty());
  rule.set("factor", "5");
  rule.set("num_checks", "1");
  CHECK(judged(rule, steps_with(explodes, rises)).size() == 1);
  CHECK_THROWS_WITH(tt::Judge({ExplodingGradient{.factor = 0}})(StepOfList({}, {})), contains("ExplodingGradient"));
}
