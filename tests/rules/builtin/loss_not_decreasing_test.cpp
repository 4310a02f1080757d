#include <tensortap/rules/builtin/loss_not_decreasing.hpp>

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

/// Returns a run of a loss of ten classes: `level(step)` times chance with noise, saved every `interval` steps.
Run losses_of(int steps, std::int64_t interval, const std::function<double(double)>& level, bool has_labels = true) {
  Run run;
  run.interval = interval;
  Noise noise(0.1);
  for (std::int64_t step = 0; step < steps; step += interval) {
    Tensors more;
    if (has_labels) more = {{"CrossEntropyLoss_input_0", table_of(std::vector<double>(10, 0.1), 10)}};
    run.train(std::log(10) * level(static_cast<double>(step)) * noise(), more);
  }
  return run;
}

std::size_t errors(const std::vector<tt::Finding>& findings) {
  std::size_t out = 0;
  for (const tt::Finding& finding : findings) out += finding.severity == tt::Severity::error ? 1 : 0;
  return out;
}

}  // namespace

TEST_CASE("a loss that stays at chance is found", "[rules][loss_not_decreasing]") {
  for (const std::int64_t interval : {1, 5, 10}) {
    CAPTURE(interval);
    const auto found = judge(tt::LossNotDecreasing{}, losses_of(200, interval, [](double) { return 1.0; }));
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == tt::Severity::error);
    CHECK(found[0].step.mode_step >= 50);
    CHECK(found[0].step.mode_step <= (interval == 1 ? 65 : 190));
    CHECK(found[0].tensor == "CrossEntropyLoss_output_0");
    CHECK(found[0].value == Approx(std::log(10)).epsilon(0.1));
    CHECK(found[0].threshold == Approx(0.9 * std::log(10)));
    CHECK_THAT(found[0].message, contains("a constant prediction reaches 2.30258"));
  }
}

TEST_CASE("a loss that falls to chance from a bad start is found", "[rules][loss_not_decreasing]") {
  const auto level = [](double step) { return 1 + 5.7 * std::exp(-step / 10); };
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, level))) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(300, 5, level))) == 1);
}

TEST_CASE("losses that oscillate or grow are found", "[rules][loss_not_decreasing]") {
  const auto oscillates = [](double step) { return 1.5 + std::sin(step); };
  const auto grows = [](double step) { return 1 + step / 100; };
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, oscillates))) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, grows))) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, grows, false))) == 1);  // without a level of chance
}

TEST_CASE("healthy losses are not found", "[rules][loss_not_decreasing]") {
  const auto silent = [](const std::function<double(double)>& level, bool has_labels = true) {
    for (const std::int64_t interval : {1, 5, 10})
      if (errors(judge(tt::LossNotDecreasing{}, losses_of(300, interval, level, has_labels))) > 0) return false;
    return true;
  };
  CHECK(silent([](double step) { return std::exp(-step / 30); }));                         // fast
  CHECK(silent([](double step) { return std::exp(-step / 300); }));                        // slow
  CHECK(silent([](double step) { return 0.75 + 0.25 * std::exp(-step / 20); }));           // noisy labels
  CHECK(silent([](double step) { return step < 60 ? 1 : std::exp(-(step - 60) / 40); }));  // warm-up
  CHECK(silent([](double step) { return 0.6 * std::exp(-std::fmod(step, 75) / 20); }));    // restarts
  CHECK(silent([](double) { return 0.05; }));                                              // fine-tuning
  CHECK(silent([](double) { return 0.2; }, false));                                        // the same, no labels
  CHECK(silent([](double step) { return 1e-9 * (1 + std::fmod(step, 2)); }));              // driven to zero
  CHECK(silent([](double step) { return step == 130 ? 1e9 : 0.3; }));                      // one bad batch
}

TEST_CASE("without a level of chance, a flat loss is an advice, at a logarithm of classes an error",
          "[rules][loss_not_decreasing]") {
  const auto flat = [](double level) {
    Run run;
    Noise noise(0.02);
    for (int i = 0; i < 200; ++i) run.train(level * noise());
    return judge(tt::LossNotDecreasing{}, run);
  };
  const auto low = flat(0.9);
  REQUIRE(low.size() == 1);
  CHECK(low[0].severity == tt::Severity::advice);
  CHECK(errors(flat(std::log(10))) == 1);
  CHECK(errors(flat(std::log(2))) == 1);
  CHECK(errors(flat(1.2)) == 1);  // a cross entropy that no fine-tuning has
}

TEST_CASE("a loss far above its first value is found", "[rules][loss_not_decreasing]") {
  Run run("loss");
  Noise noise(0.3);
  for (int i = 0; i < 200; ++i) run.train(i == 0 ? 1 : 3e4 * std::exp(-i / 300.0) * noise());
  CHECK(errors(judge(tt::LossNotDecreasing{}, run)) == 1);
}

TEST_CASE("a loss that begins far below chance with new weights is scaled", "[rules][loss_not_decreasing]") {
  const auto found_in = [](double bias, double scale, double end) {
    Run run;
    Noise noise(0.05);
    for (int step = 0; step < 200; ++step) {
      const double b = step == 0 ? bias : 0.1 * step;
      run.train(std::log(10) * scale * (step < 60 ? 1 : end) * noise(),
                {{"CrossEntropyLoss_input_0", table_of(std::vector<double>(10, 0.1), 10)},
                 {"fc.weight", table_of({0.5, -0.5, 0.25, 0.125}, 2)},
                 {"fc.bias", tensor_of({b, 0})}});
    }
    return judge(tt::LossNotDecreasing{}, run);
  };
  const auto found = found_in(0, 1e-3, 0.95);
  REQUIRE(errors(found) == 1);
  CHECK_THAT(found[0].message, contains("with new weights"));
  CHECK(errors(found_in(0.3, 1e-3, 0.95)) == 0);  // the biases have been trained: it goes on from somewhere
  CHECK(errors(found_in(0, 1e-3, 0.3)) == 0);     // another optimizer makes up for the scale
}

TEST_CASE("an error of regression that begins far below what new networks have is scaled",
          "[rules][loss_not_decreasing]") {
  const auto found_in = [](double bias, double end) {
    Run run("L1Loss_output_0");
    Noise noise(0.05);
    for (int step = 0; step < 200; ++step) {
      const double b = step == 0 ? bias : 0.1 * step;
      run.train((step < 60 ? 1e-3 : end) * noise(),
                {{"fc.weight", table_of({0.5, -0.5, 0.25, 0.125}, 2)}, {"fc.bias", tensor_of({b, 0})}});
    }
    return errors(judge(tt::LossNotDecreasing{}, run));
  };
  CHECK(found_in(0, 7e-4) == 1);
  CHECK(found_in(0.3, 7e-4) == 0);  // not new
  CHECK(found_in(0, 3e-4) == 0);    // it learns
}

TEST_CASE("a loss that a bad start precedes is found at the logarithm of classes", "[rules][loss_not_decreasing]") {
  const auto found = [](double from, double to) {
    Run run;
    Noise noise(0.02);
    for (int i = 0; i < 300; ++i) run.train((i < 15 ? from : to) * noise());
    return errors(judge(tt::LossNotDecreasing{}, run));
  };
  CHECK(found(300, std::log(4)) == 1);
  CHECK(found(0.8, std::log(2)) == 1);
  CHECK(found(2.3, std::log(2)) == 0);  // noisy labels of ten classes may leave as much
  CHECK(found(300, 0.9) == 0);
}

TEST_CASE("a loss that is saved rarely needs fewer checks", "[rules][loss_not_decreasing]") {
  const auto same = [](double) { return 1.0; };
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(250, 50, same))) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(150, 50, same))) == 0);  // three values
  const auto high = [](double) { return 3.0; };
  CHECK(judge(tt::LossNotDecreasing{}, losses_of(60, 1, high)).at(0).step.mode_step == 40);
  const auto once_low = [](double step) { return step == 50 ? 0.5 : 1.0; };
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 50, once_low))) == 0);
}

TEST_CASE("right predictions keep the rule silent", "[rules][loss_not_decreasing]") {
  for (const bool is_right : {true, false}) {
    Run run;
    Noise noise(0.05);
    for (int i = 0; i < 200; ++i) run.train(3 * noise(), answers(noise, 20, 10, is_right ? 0.8 : 0.0));
    CHECK(errors(judge(tt::LossNotDecreasing{}, run)) == (is_right ? 0 : 1));
  }
}

TEST_CASE("noisy labels do not explain an unsure network that is always right", "[rules][loss_not_decreasing]") {
  for (const double right : {0.8, 1.0}) {
    Run run;
    Noise noise(0.01);
    for (int i = 0; i < 200; ++i) run.train(2.25 * noise(), answers(noise, 20, 10, right));
    CHECK(errors(judge(tt::LossNotDecreasing{}, run)) == (right < 1 ? 0 : 1));
  }
}

TEST_CASE("an error of regression that stays at the variance of standardised labels", "[rules][loss_not_decreasing]") {
  const auto found = [](const std::string& loss, double from, double to, int falls_at = 40) {
    Run run(loss);
    Noise noise(0.1);
    for (int i = 0; i < 200; ++i) run.train((i < falls_at ? from : to) * noise());
    return errors(judge(tt::LossNotDecreasing{}, run));
  };
  CHECK(found("MSELoss_output_0", 1.05, 0.98) == 1);
  CHECK(found("L1Loss_output_0", 0.85, 0.82) == 1);
  CHECK(found("MSELoss_output_0", 0.3, 0.3) == 0);       // as in fine-tuning
  CHECK(found("MSELoss_output_0", 3, 0.98) == 1);        // after a bad start
  CHECK(found("MSELoss_output_0", 1.4, 0.7, 120) == 0);  // it has fallen late
  CHECK(found("MSELoss_output_0", 1.4, 0.7) == 0);
  CHECK(found("SmoothL1Loss_output_0", 0.45, 0.44) == 1);
  CHECK(found("SmoothL1Loss_output_0", 0.3, 0.3) == 0);
  CHECK(found("MSELoss_output_0", 20, 20) == 1);  // labels of a larger variance
  CHECK(found("MSELoss_output_0", 25, 14) == 1);  // and of a mean that is not 0
  CHECK(found("MSELoss_output_0", 100, 5) == 0);  // it may be their noise
  CHECK(found("MSELoss_output_0", 100, 1) == 0);
}

TEST_CASE("NaN neither hides nor makes a finding", "[rules][loss_not_decreasing]") {
  const auto with_nan = [](double level) {
    return [level](double step) { return std::fmod(step, 7) == 0 ? std::nan("") : level; };
  };
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, with_nan(1)))) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{}, losses_of(200, 1, with_nan(0.2)))) == 0);
}

TEST_CASE("chance can be a parameter", "[rules][loss_not_decreasing]") {
  Run run("loss");
  Noise noise(0.1);
  for (int i = 0; i < 200; ++i) run.train(5 * noise());
  CHECK(errors(judge(tt::LossNotDecreasing{.chance = 5}, run)) == 1);
  CHECK(errors(judge(tt::LossNotDecreasing{.chance = 50}, run)) == 0);
  tt::Rule rule = tt::LossNotDecreasing{};
  rule.set("chance", "5");
  rule.set("patience", "1");
  CHECK(judge(rule, run).at(0).step.mode_step == 40);
  CHECK_THROWS_WITH(judge(tt::LossNotDecreasing{.share = -1}, run), contains("LossNotDecreasing"));
}

// What a test of smdebug of 2019 said, with its default of diff_percent.
TEST_CASE("smdebug's condition compares with the newest value that is old enough", "[rules][loss_not_decreasing]") {
  const auto found_at = [](tt::LossNotDecreasing rule, const std::vector<double>& losses) {
    Run run("loss");
    run.interval = 4;
    for (const double loss : losses) run.train(loss);
    std::vector<std::int64_t> out;
    for (std::size_t n = 1; n <= losses.size(); ++n) {
      Run part("loss");
      part.interval = 4;
      for (std::size_t i = 0; i < n; ++i) part.train(losses[i]);
      const auto found = judge(rule, part);
      if (!found.empty() && found[0].last_step == part.steps().back()->step().global_step)
        out.push_back(part.steps().back()->step().mode_step);
    }
    return out;
  };
  tt::LossNotDecreasing rule = tt::LossNotDecreasing::smdebug();
  CHECK(rule.num_steps == 10);
  CHECK(rule.diff_percent == 0.1);
  CHECK(rule.increase_threshold_percent == 5);
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.2999, 0.28}) == std::vector<std::int64_t>{12});
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.29, 0.28}).empty());
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.31, 0.28}).empty());  // a rise of 3 % is tolerated
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.32, 0.28}) == std::vector<std::int64_t>{12});
  rule.diff_percent = 0;
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.30, 0.28}) == std::vector<std::int64_t>{12});
  rule.diff_percent = 20;
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.30, 0.28, 0.2, 0.42}) == std::vector<std::int64_t>{12, 24});
  CHECK(found_at(rule, {0.3, 0.33, 0.31, 0.20, 0.28, 0.2, 0.15}).empty());
}

TEST_CASE("smdebug's condition judges each mode, or one, and more tensors", "[rules][loss_not_decreasing]") {
  Run run("loss");
  for (int i = 0; i < 15; ++i) run.train(1.0 / (i + 1), {{"acc", tensor_of({1})}}).eval(1);
  const auto all = judge(tt::LossNotDecreasing::smdebug(), run);
  REQUIRE(all.size() == 1);
  CHECK(all[0].step.mode == tt::Mode::eval);
  tt::LossNotDecreasing rule = tt::LossNotDecreasing::smdebug();
  rule.mode = "TRAIN";
  CHECK(judge(rule, run).empty());
  rule.tensor_regex = "^acc$";
  rule.use_losses_collection = false;
  REQUIRE(judge(rule, run).size() == 1);
  CHECK(judge(rule, run)[0].tensor == "acc");
  rule.mode = "TRAINING";
  CHECK_THROWS(judge(rule, run));
}
