#include <tensortap/rules/builtin/overfit.hpp>
#include <tensortap/rules/builtin/overtraining.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

/// Returns a run with an evaluation after each tenth step.
Run run_of(const std::function<double(double)>& train, const std::function<double(double)>& eval, int steps = 300) {
  Run run("loss");
  Noise noise(0.1);
  for (int step = 0; step < steps; ++step) {
    run.train(train(step) * noise());
    if (step % 10 == 9) run.eval(eval(step) * noise());
  }
  return run;
}

double falls(double step) { return std::exp(-step / 40); }

}  // namespace

TEST_CASE("a validation loss that rises while the other falls is found", "[rules][overfit]") {
  const auto found = judge(tt::Overfit{}, run_of(falls, [](double step) { return 0.8 + step / 100; }));
  REQUIRE(found.size() >= 1);
  CHECK(found.back().severity == tt::Severity::error);
  CHECK(found.back().step.mode == tt::Mode::eval);
  CHECK(found.back().value > found.back().threshold);
}

TEST_CASE("a small gap is no overfitting, however large its ratio", "[rules][overfit]") {
  const Run healthy = run_of(falls, [](double step) { return std::exp(-step / 35) + 0.1; });
  CHECK(judge(tt::Overfit{}, healthy).empty());
  CHECK(judge(tt::Overfit::smdebug(), healthy).size() == 1);
  const auto advice = judge(tt::Overfit{}, run_of(falls, [](double) { return 0.4; }));
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].severity == tt::Severity::advice);
}

TEST_CASE("examples that are known by heart are found, unless other predictions are right", "[rules][overfit]") {
  const auto by_heart = [](double right) {
    Run run;  // of four classes: chance is 1.39
    Noise noise(0.1);
    for (int step = 0; step < 300; ++step) {
      run.train(1.4 * falls(step) * noise(), answers(noise, 20, 4, 1));
      if (step % 10 == 9) run.eval(0.8 * noise(), answers(noise, 100, 4, right));
    }
    return judge(tt::Overfit{}, run);
  };
  const auto found = by_heart(0.2);  // the validation does not rise, and is not above chance
  REQUIRE(found.size() == 2);
  CHECK(std::any_of(found.begin(), found.end(),
                    [](const tt::Finding& one) { return one.severity == tt::Severity::error; }));
  for (const tt::Finding& one : by_heart(0.9)) CHECK(one.severity == tt::Severity::advice);
}

TEST_CASE("the first error of a new network is more than that of a constant prediction", "[rules][overfit]") {
  const auto errors_in = [](double bias, double trained, double validation) {
    Run run("MSELoss_output_0");
    Noise noise(0.1);
    for (int step = 0; step < 200; ++step) {
      run.train((2 * std::exp(-step / 10.0) + trained) * noise(), {{"fc.bias", tensor_of({bias, 0})}});
      if (step % 10 == 9) run.eval(validation * noise());
    }
    const auto found = judge(tt::Overfit{}, run);
    return std::any_of(found.begin(), found.end(),
                       [](const tt::Finding& one) { return one.severity == tt::Severity::error; });
  };
  CHECK(errors_in(0, 0.001, 0.7));
  CHECK_FALSE(errors_in(0, 0.001, 0.4));
  CHECK_FALSE(errors_in(0, 0.02, 0.7));
  CHECK_FALSE(errors_in(0.3, 0.001, 0.7));  // the weights may have been trained before
}

TEST_CASE("examples of one class alone have no chance that is a scale", "[rules][overfit]") {
  Run run;
  Noise noise(0.1);
  for (int step = 0; step < 200; ++step) {
    run.train(1.4 * std::exp(-step / 4.0) * noise(), {{"labels", classes_of(std::vector<std::int64_t>(20, 1))}});
    if (step % 10 == 9) run.eval(1.2 * noise());
  }
  const auto found = judge(tt::Overfit{}, run);
  CHECK(std::any_of(found.begin(), found.end(),
                    [](const tt::Finding& one) { return one.severity == tt::Severity::error; }));
}

TEST_CASE("smdebug's ratio is exceeded for some steps in a row", "[rules][overfit]") {
  Run run("loss");
  run.train(1).eval(1.25).eval(1.5).eval(2);

  tt::Overfit rule = tt::Overfit::smdebug();
  CHECK(rule.ratio_threshold == 0.1);
  CHECK(rule.patience == 1);
  rule.ratio_threshold = 0.25;
  const auto found = judge(rule, run);
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 1);  // 1.25 is not above
  CHECK(found[0].value == 0.5);
  rule.patience = 2;
  CHECK(judge(rule, run).at(0).step.mode_step == 2);
  rule.start_step = 2;
  CHECK(judge(rule, run).empty());
  CHECK(judge(tt::Overfit::smdebug(), Run("loss").eval(5)).empty());
}

TEST_CASE("smdebug's ratio to a training loss of 0 is infinite, and is none without a gap", "[rules][overfit]") {
  const double none = std::nan("");
  Run run("loss");
  run.train(0).eval(0).eval(0.5).eval(none).eval(1e-9).eval(0).train(0.5).eval(0.5);
  const auto found = judge(tt::Overfit::smdebug(), run);
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 1);
  CHECK(std::isinf(found[0].value));
  CHECK(found[0].count == 2);
  tt::Overfit twice = tt::Overfit::smdebug();
  twice.patience = 2;
  const auto later = judge(twice, run);  // a loss that is not a number ends no row
  REQUIRE(later.size() == 1);
  CHECK(later[0].step.mode_step == 3);
}

TEST_CASE("training that goes on for nothing", "[rules][overtraining]") {
  const auto rises = [](double step) { return 0.5 + step / 300; };
  const auto found = judge(tt::Overtraining{}, run_of(falls, rises, 400));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::advice);
  CHECK(judge(tt::Overtraining{}, run_of(falls, falls, 400)).empty());
  CHECK(judge(tt::Overtraining::smdebug(), run_of(falls, falls, 400)).size() > 0);
}

TEST_CASE("smdebug's overtraining counts values that are no new best", "[rules][overtraining]") {
  Run run("loss");
  for (const double loss : {1.0, 0.995, 1.0, 1.0, 1.0, 1.0, 0.5}) run.train(loss);
  const auto found = judge(tt::Overtraining::smdebug(), run);
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 5);
  CHECK(found[0].count == 1);
}
