#include <tensortap/rules/builtin/weight_update_ratio.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::WeightUpdateRatio;

namespace {

/// Returns steps of a weight whose elements have the magnitude `size(step)` and are noise.
Steps steps_with(std::int64_t count, const std::function<double(std::int64_t step, std::size_t i)>& element,
                 Saved saved = Saved::elements, std::int64_t interval = 1, double loss = 1) {
  return train_steps(
      count,
      [&](std::int64_t step) {
        return StepOfList::Tensors{{"fc.weight", filled({4, 5}, [&](std::size_t i) { return element(step, i); })},
                                   {"fc.bias", filled({4}, [&](std::size_t) { return static_cast<double>(step); })},
                                   {"loss", numbers({step < 5 ? 1 : loss})}};
      },
      saved, interval);
}

/// Returns an element that changes by `ratio` of its size in each step, to and fro.
auto shaking(double ratio) {
  return [ratio](std::int64_t step, std::size_t i) { return noise(i) * (1 + (step % 2 == 0 ? ratio : 0)); };
}

}  // namespace

TEST_CASE("weights that change by a tenth in each step are found after twenty steps", "[rules][weight_update_ratio]") {
  const auto findings = judged(WeightUpdateRatio{}, steps_with(40, shaking(0.2)));
  REQUIRE(tensors_of(findings) == Names{"fc.weight"});
  CHECK(findings[0].step.mode_step == 24);
  CHECK(findings[0].value == Approx(0.2));
  CHECK(findings[0].threshold == 0.1);
  CHECK(judged(WeightUpdateRatio{}, steps_with(40, shaking(0.09))).empty());
  const auto works = judged(WeightUpdateRatio{}, steps_with(40, shaking(0.2), Saved::elements, 1, 0.1));
  CHECK(tensors_of(works).empty());
  CHECK(tensors_of(works, tt::Severity::advice) == Names{"fc.weight"});
}

TEST_CASE("statistics show changes that are at least so large", "[rules][weight_update_ratio]") {
  CHECK(tensors_of(judged(WeightUpdateRatio{}, steps_with(40, shaking(0.3), Saved::statistics))) == Names{"fc.weight"});
  CHECK(judged(WeightUpdateRatio{}, steps_with(40, shaking(1e-7), Saved::statistics)).empty());
}

TEST_CASE("no weight that moves, and a loss that stays, are an error", "[rules][weight_update_ratio]") {
  const auto found = judged(WeightUpdateRatio{}, steps_with(40, shaking(5e-5)));
  REQUIRE(tensors_of(found) == Names{"fc.weight"});
  CHECK_THAT(found[0].message, contains("the loss is what it was"));
  CHECK(judged(WeightUpdateRatio{}, steps_with(40, shaking(2e-4))).empty());
  CHECK(tensors_of(judged(WeightUpdateRatio{}, steps_with(40, shaking(5e-5), Saved::elements, 1, 0.8))).empty());
  const Steps all = steps_with(40, shaking(5e-5));
  const Steps later(all.begin() + 1, all.end());  // the weights may have been trained, and the loss may be low
  CHECK(tensors_of(judged(WeightUpdateRatio{}, later)).empty());
}

TEST_CASE("the change of steps that are far apart is shared among them", "[rules][weight_update_ratio]") {
  const auto grows = [](double rate) {
    return
        [rate](std::int64_t step, std::size_t i) { return noise(i) * std::pow(1 + rate, static_cast<double>(step)); };
  };
  CHECK(judged(WeightUpdateRatio{}, steps_with(20, grows(0.02), Saved::elements, 10)).empty());
  CHECK(judged(WeightUpdateRatio{}, steps_with(20, grows(0.1), Saved::elements, 10)).size() == 1);
}

TEST_CASE("a layer that begins at zero, and one that hardly moves, are no error", "[rules][weight_update_ratio]") {
  CHECK(judged(WeightUpdateRatio{},
               steps_with(60,
                          [](std::int64_t step, std::size_t i) { return noise(i) * 0.01 * static_cast<double>(step); }))
            .empty());
  const auto slow = judged(WeightUpdateRatio{}, steps_with(40, shaking(1e-6), Saved::elements, 1, 0.8));
  CHECK(tensors_of(slow).empty());
  CHECK(tensors_of(slow, tt::Severity::advice) == Names{"fc.weight"});
  CHECK(judged(WeightUpdateRatio{}, steps_with(40, shaking(0))).empty());  // see UnchangedTensor
}

TEST_CASE("NaN in weights enters no median", "[rules][weight_update_ratio]") {
  const auto findings = judged(WeightUpdateRatio{}, steps_with(60, [](std::int64_t step, std::size_t i) {
                                 return step == 30 && i == 3 ? not_a_number : shaking(0.2)(step, i);
                               }));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].value == Approx(0.2));
  CHECK(findings[0].last_step == 59);
}

TEST_CASE("the documented rule compares mean magnitudes with the last saved step", "[rules][weight_update_ratio]") {
  const auto at = [](std::vector<double> list) {
    return steps_with(static_cast<std::int64_t>(list.size()),
                      [list](std::int64_t step, std::size_t) { return list[static_cast<std::size_t>(step)]; });
  };
  WeightUpdateRatio rule = WeightUpdateRatio::smdebug();
  const auto findings = judged(rule, at({1, 1, 1}));
  REQUIRE(tensors_of(findings) == Names{"fc.weight"});
  CHECK(findings[0].step.mode_step == 1);
  CHECK(findings[0].value == 0);
  CHECK(judged(rule, at({1, 1.001, 1})).empty());
  CHECK(judged(rule, at({-21, 2})).size() == 1);  // 23 / 2
  CHECK(judged(rule, at({21, 2})).empty());       // 19 / 2
  CHECK(judged(rule, at({0, 0})).size() == 1);
  CHECK(judged(rule, at({1, not_a_number})).empty());
  rule.num_steps = 2;
  CHECK(judged(rule, at({1, 2, 1})).size() == 1);  // step 2 against step 0
  CHECK(judged(rule, at({1, 2, 1}))[0].step.mode_step == 2);
  CHECK(judged(rule, at({1, 2, 3, 2.5})).empty());
  const Steps global = train_steps(
      3,
      [](std::int64_t) {
        return StepOfList::Tensors{{"fc.weight", numbers({1})}};
      },
      Saved::elements, 1, tt::Mode::global);
  CHECK(judged(WeightUpdateRatio::smdebug(), global).size() == 1);
  tt::Rule by_name = WeightUpdateRatio::smdebug();
  by_name.set("small_threshold", "0");
  CHECK(judged(by_name, global).empty());
}

TEST_CASE("thresholds of update ratios that make no sense are refused", "[rules][weight_update_ratio]") {
  const StepOfList step({tt::Mode::train, 0, 0}, {});
  for (const WeightUpdateRatio& rule :
       {WeightUpdateRatio{.num_steps = -1}, WeightUpdateRatio{.large_threshold = not_a_number},
        WeightUpdateRatio{.epsilon = -1}})
    CHECK_THROWS_WITH(tt::Judge({rule})(step), contains("WeightUpdateRatio"));
}
