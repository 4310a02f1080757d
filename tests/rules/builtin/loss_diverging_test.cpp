#include <tensortap/rules/builtin/loss_diverging.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

Run run_of(int steps, std::int64_t interval, const std::function<double(double)>& loss) {
  Run run("loss");
  run.interval = interval;
  Noise noise(0.1);
  for (std::int64_t step = 0; step < steps; step += interval) run.train(loss(static_cast<double>(step)) * noise());
  return run;
}

}  // namespace

TEST_CASE("a loss that is not finite is found at once", "[rules][loss_diverging]") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Run run("loss");
    run.train(1).train(bad).train(1);
    const auto found = judge(tt::LossDiverging{}, run);
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == tt::Severity::error);
    CHECK(found[0].step.mode_step == 1);
    CHECK(found[0].count == 1);
    CHECK(!std::isfinite(found[0].value));
  }
}

TEST_CASE("a loss that runs away is found", "[rules][loss_diverging]") {
  for (const std::int64_t interval : {1, 5, 10}) {
    CAPTURE(interval);
    const auto late = [](double step) { return std::exp(-step / 20) + (step > 80 ? std::exp((step - 80) / 15) : 0); };
    const auto found = judge(tt::LossDiverging{}, run_of(200, interval, late));
    REQUIRE(found.size() == 1);
    CHECK(found[0].value > found[0].threshold);
    CHECK(judge(tt::LossDiverging{}, run_of(200, interval, [](double step) { return 1 + step / 10; })).size() == 1);
  }
}

TEST_CASE("healthy losses do not diverge", "[rules][loss_diverging]") {
  const auto silent = [](const std::function<double(double)>& loss) {
    for (const std::int64_t interval : {1, 5, 10})
      if (!judge(tt::LossDiverging{}, run_of(300, interval, loss)).empty()) return false;
    return true;
  };
  CHECK(silent([](double step) { return std::exp(-step / 30); }));
  CHECK(silent([](double step) { return 0.8 * std::exp(-std::fmod(step, 75) / 15) + 0.05; }));        // restarts
  CHECK(silent([](double step) { return 2 * std::exp(-step) + 1e-9 * (1 + std::fmod(step, 50)); }));  // near 0
  CHECK(silent([](double step) { return step == 150 ? 1e9 : 0.5; }));                                 // one bad batch
  CHECK(silent([](double step) { return step > 0 ? 0.5 : 100; }));                                    // a bad start
}

TEST_CASE("a rise below a constant prediction is no divergence", "[rules][loss_diverging]") {
  const Run run = run_of(130, 1, [](double step) { return step < 100 ? 0.1 : 0.5; });
  CHECK(judge(tt::LossDiverging{.chance = 0.69}, run).empty());
  CHECK(judge(tt::LossDiverging{.chance = 0.4}, run).size() == 1);
}

TEST_CASE("a rise that lasts for half of the run is found", "[rules][loss_diverging]") {
  const auto rises = [](double to) {
    return [to](double step) { return step < 50 ? 1 - step / 100 : 0.5 + (to - 0.5) * (step - 50) / 150; };
  };
  for (const std::int64_t interval : {1, 2}) {
    const auto found = judge(tt::LossDiverging{}, run_of(200, interval, rises(0.9)));
    REQUIRE(found.size() == 1);
    CHECK(found[0].value > 1.25 * 0.5);
    CHECK_THAT(found[0].message, contains("it has risen since the second quarter of the run"));
  }
  CHECK(judge(tt::LossDiverging{}, run_of(200, 1, rises(0.55))).empty());  // by little
  CHECK(judge(tt::LossDiverging{}, run_of(200, 1, [](double step) { return step > 0 ? step / 2e3 : 1; })).empty());
}

TEST_CASE("a cross entropy below zero has the wrong sign", "[rules][loss_diverging]") {
  const auto below_zero = [](const std::string& loss) {
    Run run(loss);
    for (int i = 0; i < 6; ++i) run.train(i < 3 ? -1e-8 : -1 - i);
    return judge(tt::LossDiverging{}, run);
  };
  const auto found = below_zero("CrossEntropyLoss_output_0");
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 5);
  CHECK_THAT(found[0].message, contains("check its sign"));
  CHECK(below_zero("MSELoss_output_0").size() == 1);
  CHECK(below_zero("NLLLoss_output_0").empty());  // that of a density can be below zero
  CHECK(below_zero("loss").empty());
}

TEST_CASE("a loss that comes back in single values, again and again, is found", "[rules][loss_diverging]") {
  const auto spikes = [](double every) {
    return [=](double step) {
      return step > 100 && std::fmod(step, every) == 0 ? 1.5 : 0.6 * std::exp(-step / 10) + 0.01;
    };
  };
  const tt::LossDiverging rule{.chance = 0.69};
  CHECK(judge(rule, run_of(250, 1, spikes(1000))).empty());
  CHECK(judge(rule, run_of(250, 1, spikes(25))).empty());  // rare, and so little on average
  const auto found = judge(tt::LossDiverging{}, run_of(250, 1, spikes(4)));
  REQUIRE_FALSE(found.empty());
  CHECK(found.back().severity == tt::Severity::error);
  CHECK(found.back().value > found.back().threshold);
  CHECK_THAT(found.back().message, contains("over the last third of the run"));
  // A bad batch counts as two at the beginning.
  CHECK(judge(tt::LossDiverging{}, run_of(250, 1, [](double step) { return step == 200 ? 1e6 : std::exp(-step / 10); }))
            .empty());
}

TEST_CASE("a loss that falls late has not come back", "[rules][loss_diverging]") {
  const auto late = [](double step) { return step < 200 ? 0.7 : 0.7 * std::exp((200 - step) / 6); };
  CHECK(judge(tt::LossDiverging{.chance = 0.69}, run_of(245, 1, late)).empty());
}
