#include <tensortap/rules/builtin/learning_rate_range.hpp>
#include <tensortap/rules/builtin/loss_spike.hpp>

#include <cmath>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

TEST_CASE("a single high loss is found, and neither noise nor NaN", "[rules][loss_spike]") {
  const auto run_with = [](int at, double loss) {
    Run run("loss");
    Noise noise(0.1);
    for (int i = 0; i < 200; ++i) run.train(i == at ? loss : i % 50 == 49 ? std::nan("") : noise());
    return run;
  };
  const auto found = judge(tt::LossSpike{}, run_with(100, 3));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::advice);
  CHECK(found[0].step.mode_step == 100);
  CHECK(found[0].count == 1);
  CHECK(judge(tt::LossSpike{}, run_with(100, 1.3)).empty());
  CHECK(judge(tt::LossSpike{}, run_with(30, 3)).empty());  // too early to know
}

TEST_CASE("the noise of a loss near 0 is no spike", "[rules][loss_spike]") {
  Run run("loss");
  for (int i = 0; i < 200; ++i) run.train(i < 20 ? 1 : i % 20 == 0 ? 1e-3 : 1e-6);
  CHECK(judge(tt::LossSpike{}, run).empty());
}

TEST_CASE("a learning rate outside of its range", "[rules][learning_rate_range]") {
  const auto found = [](const std::string& name, double rate, int steps = 20) {
    Run run("loss");
    for (int i = 0; i < steps; ++i) run.train(1, {{name, tensor_of({rate})}});
    return judge(tt::LearningRateRange{}, run);
  };
  REQUIRE(found("lr", 0).size() == 1);
  CHECK(found("lr", 0)[0].severity == tt::Severity::advice);
  CHECK(found("lr", 0)[0].step.mode_step == 9);
  CHECK(found("optimizer/learning_rate_0", 50).size() == 1);
  CHECK(found("lr", 0.1).empty());
  CHECK(found("lr", 0, 9).empty());
  CHECK(found("lrelu", 50).empty());
}
