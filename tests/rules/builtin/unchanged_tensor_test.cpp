#include <tensortap/rules/builtin/unchanged_tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"
#include "rules/builtin/loss_steps.hpp"
#include "rules/builtin/still_weights.hpp"

namespace tt = tensortap;
using tt::UnchangedTensor;

namespace {

/// Returns steps with the tensor "x" of these elements.
Steps steps_of(const std::vector<std::vector<double>>& values, std::int64_t interval = 1) {
  return train_steps(
      static_cast<std::int64_t>(values.size()),
      [&](std::int64_t step) {
        return StepOfList::Tensors{{"x", numbers(values[static_cast<std::size_t>(step / interval)])}};
      },
      Saved::elements, interval);
}

const UnchangedTensor literal = UnchangedTensor::smdebug({}, "x");

}  // namespace

TEST_CASE("a weight that stands still in the midst of a run is found", "[rules][unchanged_tensor]") {
  const auto stops = [](std::size_t layer, std::int64_t step) { return layer == 1 || step < 10; };
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    const auto findings = judged(UnchangedTensor{}, StillTraining{.moves = stops}.steps(60, saved));
    REQUIRE(tensors_of(findings) == Names{"fc0.weight"});
    CHECK(findings[0].step.mode_step == 50);
    CHECK_THAT(findings[0].message, contains("it has not changed since step 10, in 40 checks"));
  }
  const auto works = judged(UnchangedTensor{}, StillTraining{.moves = stops, .loss = 0.3}.steps(60));
  CHECK(tensors_of(works) == Names{"fc0.weight"});  // a loss that is always 0.3 does not show that it works
}

TEST_CASE("a training most of which changes nothing is an error although its loss has fallen",
          "[rules][unchanged_tensor]") {
  const auto found_in = [](double loss, std::size_t layers) {
    const auto stops = [layers](std::size_t layer, std::int64_t step) { return layer >= layers || step < 10; };
    return judged(UnchangedTensor{}, StillTraining{.moves = stops, .loss = loss, .first_loss = 1}.steps(110));
  };
  CHECK(tensors_of(found_in(0.3, 2)) == Names{"fc0.weight", "fc1.weight"});
  CHECK(tensors_of(found_in(0.01, 2)).empty());
  CHECK(tensors_of(found_in(0.3, 1)).empty());  // the other layer learns
}

TEST_CASE("a run whose gradients fade, or that accumulates, is no finding", "[rules][unchanged_tensor]") {
  const auto stops = [](std::size_t, std::int64_t step) { return step < 10; };
  const auto fades = [](std::size_t, std::int64_t step) { return std::optional(step < 10 ? 1.0 : 1e-6); };
  CHECK(judged(UnchangedTensor{}, StillTraining{.moves = stops, .gradient = fades}.steps(80)).empty());
  const auto every_32 = [](std::size_t, std::int64_t step) { return step % 32 == 31; };
  CHECK(judged(UnchangedTensor{}, StillTraining{.moves = every_32}.steps(100)).empty());
}

TEST_CASE("a large weight is compared by all of its bits", "[rules][unchanged_tensor]") {
  const auto steps_with = [](bool moves) {
    return train_steps(45, [&](std::int64_t step) {
      return StepOfList::Tensors{
          {"fc.weight",
           filled({100, 101}, [&](std::size_t i) { return i == 9998 && moves ? static_cast<double>(step) : 1.0; })},
          {"gradient/fc.weight", numbers({1})}};
    });
  };
  CHECK(judged(UnchangedTensor{}, steps_with(false)).size() == 1);
  CHECK(judged(UnchangedTensor{}, steps_with(true)).empty());
}

TEST_CASE("the documented rule finds tensors that are close to their last values", "[rules][unchanged_tensor]") {
  const auto findings = judged(literal, steps_of({{1, 2}, {1, 2}, {1, 2}}));
  REQUIRE(tensors_of(findings) == Names{"x"});
  CHECK(findings[0].step.mode_step == 2);
  CHECK(findings[0].count == 1);
  CHECK(judged(literal, steps_of({{1, 2}, {1, 2}, {1, 2}}, 7))[0].step.mode_step ==
        14);  // steps need not be consecutive
  CHECK(judged(literal, steps_of({{1, 2}, {1, 2}})).empty());
  CHECK(judged(literal, steps_of({{1, 2}, {1, 2}, {1, 2.1}, {1, 2}, {1, 2}})).empty());
  CHECK(judged(literal, steps_of({{1}, {1}, {1, 1}, {1, 1}})).empty());
  CHECK(judged(UnchangedTensor::smdebug("gradients"), steps_of({{1}, {1}, {1}})).empty());
}

TEST_CASE("tolerances are those of numpy.allclose", "[rules][unchanged_tensor]") {
  const auto close = [](const std::vector<double>& before, const std::vector<double>& now) {
    UnchangedTensor rule = literal;
    rule.num_steps = 2;
    return !judged(rule, steps_of({before, now})).empty();
  };
  CHECK(close({100}, {100.0009}));
  CHECK_FALSE(close({100}, {100.0011}));
  CHECK(close({0}, {1e-8}));
  CHECK_FALSE(close({0}, {1.1e-8}));
  CHECK(close({infinite}, {infinite}));
  CHECK_FALSE(close({infinite}, {-infinite}));
  CHECK_FALSE(close({infinite}, {1}));
  CHECK_FALSE(close({not_a_number}, {not_a_number}));
  CHECK(close({}, {}));
  UnchangedTensor rule = literal;
  rule.equal_nan = true;
  CHECK(judged(rule, steps_of({{not_a_number}, {not_a_number}, {not_a_number}})).size() == 1);
  CHECK(judged(rule, steps_of({{not_a_number}, {1}, {not_a_number}})).empty());
  tt::Rule by_name = UnchangedTensor{};
  by_name.set("tensor_regex", "x");
  by_name.set("num_steps", "2");
  by_name.set("atol", "1");
  CHECK(judged(by_name, steps_of({{1}, {1.5}})).size() == 1);
}

TEST_CASE("numbers of steps and tolerances that make no sense are refused", "[rules][unchanged_tensor]") {
  const StepOfList step({tt::Mode::train, 0, 0}, {});
  for (const UnchangedTensor& rule :
       {UnchangedTensor{.num_steps = 0}, UnchangedTensor{.tensor_regex = "x", .num_steps = 1},
        UnchangedTensor{.rtol = -1}, UnchangedTensor{.atol = not_a_number}})
    CHECK_THROWS_WITH(tt::Judge({rule})(step), contains("UnchangedTensor"));
}

TEST_CASE("evaluations that repeat to the bit show that nothing is trained", "[rules][unchanged_tensor]") {
  struct Case {
    int frozen_at = 20;  // the training step
    int cycle = 4;       // evaluations of different examples
    int steps = 200;
    double level = 1;
  };
  const auto found_in = [](const Case& one) {
    loss_steps::Run run;
    for (int step = 0; step < one.steps; ++step) {
      const double trained = std::min(step, one.frozen_at);
      run.train(step < 3 ? 1 : one.level * (1 + 0.01 * (step % 7)));
      if (step % 10 == 9) run.eval(one.level * (2 - trained / 1000 + 0.1 * ((step / 10) % one.cycle)));
    }
    return loss_steps::judge(UnchangedTensor{}, run);
  };
  const auto found = found_in({});
  REQUIRE(tensors_of(found) == Names{"CrossEntropyLoss_output_0"});
  CHECK(found[0].step.mode == tt::Mode::eval);
  CHECK_THAT(found[0].message, contains("are those of 4 values before, to the bit"));
  CHECK(found_in({.frozen_at = 1000}).empty());  // it learns
  CHECK(found_in({.frozen_at = 120}).empty());   // more than half of the run has trained
  CHECK(found_in({.cycle = 30}).empty());        // no examples come twice
  CHECK(found_in({.level = 0.01}).empty());      // it has learned
}

TEST_CASE("weights without gradients that all stand still for most of a run", "[rules][unchanged_tensor]") {
  const auto found_in = [](std::int64_t stops, std::size_t layers, double loss) {
    const auto none = [](std::size_t, std::int64_t) { return std::optional<double>(); };
    const auto moves = [=](std::size_t layer, std::int64_t step) { return layer >= layers || step < stops; };
    return tensors_of(judged(
        UnchangedTensor{}, StillTraining{.moves = moves, .gradient = none, .loss = loss, .first_loss = 1}.steps(110)));
  };
  CHECK(found_in(10, 2, 0.5) == Names{"fc0.weight"});
  CHECK(found_in(60, 2, 0.5).empty());
  CHECK(found_in(10, 1, 0.5).empty());  // one of them moves
  CHECK(found_in(10, 2, 0.01).empty());
}
