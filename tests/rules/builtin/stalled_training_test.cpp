// StalledTrainingRule and GradientNoiseScale.
#include <tensortap/rules/builtin/gradient_noise_scale.hpp>
#include <tensortap/rules/builtin/stalled_training.hpp>

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

TEST_CASE("a long pause between steps is found by the saved time", "[rules][stalled_training]") {
  Run run("loss");
  for (const double time : {0.0, 10.0, 1810.0, 3611.0, std::nan(""), 20.0, 3620.0})
    run.train(1, {{"scalars/wall_time", tensor_of({time})}});
  const auto found = judge(tt::StalledTrainingRule{}, run);
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 3);  // 1800 seconds are no finding, 1801 are
  CHECK(found[0].value == 1801);
  CHECK(found[0].count == 1);
  CHECK(judge(tt::StalledTrainingRule{.threshold = 5000}, run).empty());
  CHECK_THROWS(judge(tt::StalledTrainingRule{.threshold = -1}, run));
}

TEST_CASE("the noise scale of gradients of two batch sizes", "[rules][gradient_noise_scale]") {
  // Of a true gradient g and a variance v of each example's gradient: |G|^2 = g^2 + v / batch on average.
  const auto found = [](double variance) {
    Run run("loss");
    for (int i = 0; i < 40; ++i)
      run.train(1, {{"half/w", tensor_of({std::sqrt(1 + variance / 8)})},
                    {"full/w", tensor_of({std::sqrt(1 + variance / 16)})}});
    return judge(
        tt::GradientNoiseScale{.small_regex = "^half/", .large_regex = "^full/", .small_batch = 8, .large_batch = 16},
        run);
  };
  REQUIRE(found(1000).size() == 1);
  CHECK(found(1000)[0].value == Approx(1000));
  CHECK(found(1000)[0].severity == tt::Severity::advice);
  CHECK(found(0.1).size() == 1);
  CHECK(found(20).empty());
  CHECK(judge(tt::GradientNoiseScale{}, Run("loss").train(1)).empty());
}
