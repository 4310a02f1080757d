#include <tensortap/rules/builtin/loss_plateau.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

/// Returns the run of a loss of four classes, as a share of chance, with predictions that are right with `right`.
Run run_of(const std::function<double(double)>& level, double right, int steps = 250) {
  Run run;
  Noise noise(0.1);
  for (int step = 0; step < steps; ++step) {
    Tensors more;
    if (right >= 0) more = answers(noise, 10, 4, right);
    run.train(std::log(4) * level(step) * noise(), more);
  }
  return run;
}

double plateau(double step) { return 0.7 + 0.3 * std::exp(-step / 15); }

}  // namespace

TEST_CASE("a loss that stops far above 0 is found", "[rules][loss_plateau]") {
  const auto found = judge(tt::LossPlateau{}, run_of(plateau, 0.2));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK(found[0].step.mode_step == 120);
  CHECK(found[0].value == Approx(0.7 * std::log(4)).epsilon(0.05));
  CHECK(found[0].threshold == Approx(0.5 * std::log(4)).epsilon(0.02));
}

TEST_CASE("a few values tell of a plateau if they hardly vary", "[rules][loss_plateau]") {
  const auto found_in = [](double deviation) {
    Run run;
    run.interval = 12;
    Noise noise(deviation);
    tt::Rule rule = tt::LossPlateau{};
    rule.set("chance", "1.386");
    for (int i = 0; i < 20; ++i) run.train(1.386 * plateau(12.0 * i) * noise());
    return judge(rule, run);
  };
  CHECK(found_in(0.02).size() == 1);
  CHECK(found_in(0.4).empty());
}

TEST_CASE("noisy labels are no error", "[rules][loss_plateau]") {
  CHECK(judge(tt::LossPlateau{}, run_of(plateau, 0.7)).empty());
  CHECK(judge(tt::LossPlateau{}, run_of(plateau, 0.3)).at(0).severity == tt::Severity::error);  // half of them right
  tt::Rule rule = tt::LossPlateau{};
  rule.set("chance", "1.386");
  const auto found_at = [&](double share) {  // without predictions
    return judge(rule, run_of([=](double step) { return share + (1 - share) * std::exp(-step / 15); }, -1)).at(0);
  };
  CHECK(found_at(0.6).severity == tt::Severity::advice);
  CHECK(found_at(0.8).severity == tt::Severity::error);  // so many labels are hardly wrong
}

TEST_CASE("what comes next in a sequence is never certain", "[rules][loss_plateau]") {
  const auto found_with = [](std::int64_t labels_in_example, std::int64_t embedding_rows) {
    Run run;
    Noise noise(0.1);
    for (int step = 0; step < 250; ++step) {
      Tensors more = answers(noise, 10, 4, 0.3);
      const tt::Tensor flat = more["labels"];
      tt::Tensor labels(tt::DType::i64, {10 / labels_in_example, labels_in_example});
      for (std::size_t i = 0; i < 10; ++i) labels.as<std::int64_t>()[i] = static_cast<std::int64_t>(flat.number(i));
      more["labels"] = labels;
      std::vector<double> scores(40);
      for (std::size_t i = 0; i < 10; ++i) scores[4 * i + static_cast<std::size_t>(more["predictions"].number(i))] = 1;
      more["predictions"] = table_of(scores, 4);
      more["Net_embedding.weight"] =
          table_of(std::vector<double>(static_cast<std::size_t>(2 * embedding_rows), 0.1), 2);
      run.train(std::log(4) * plateau(step) * noise(), more);
    }
    return judge(tt::LossPlateau{}, run).at(0).severity;
  };
  CHECK(found_with(1, 9) == tt::Severity::error);
  CHECK(found_with(5, 9) == tt::Severity::advice);
  CHECK(found_with(1, 4) == tt::Severity::advice);
}

TEST_CASE("a loss that falls, or is small, is no plateau", "[rules][loss_plateau]") {
  CHECK(judge(tt::LossPlateau{}, run_of([](double step) { return std::exp(-step / 200); }, 0.2)).empty());
  CHECK(judge(tt::LossPlateau{}, run_of([](double) { return 0.1; }, 0.2)).empty());
  CHECK(judge(tt::LossPlateau{}, run_of(plateau, 0.2, 110)).empty());  // only one check
  CHECK(judge(tt::LossPlateau{}, run_of(plateau, -1)).empty());        // no level of chance
}

TEST_CASE("no noise of labels keeps a loss above what it has been", "[rules][loss_plateau]") {
  tt::Rule rule = tt::LossPlateau{};
  rule.set("chance", "1.386");
  const auto found = judge(rule, run_of([](double step) { return step < 60 ? 0.15 : 0.45; }, -1, 400));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  const auto flat = judge(rule, run_of([](double) { return 0.45; }, -1, 400));
  REQUIRE(flat.size() == 1);
  CHECK(flat[0].severity == tt::Severity::advice);
}

TEST_CASE("the error of a new network is what a plateau of regression is compared with", "[rules][loss_plateau]") {
  const auto found_in = [](const std::string& loss, double bias, double share) {
    Run run(loss);
    Noise noise(0.1);
    for (int step = 0; step < 250; ++step) {
      const double b = step == 0 ? bias : 0.1 * step;
      run.train(70 * (share + (1 - share) * std::exp(-step / 8.0)) * noise(),
                {{"fc.weight", table_of({0.5, -0.5, 0.25, 0.125}, 2)}, {"fc.bias", tensor_of({b, 0})}});
    }
    return judge(tt::LossPlateau{}, run);
  };
  const auto found = found_in("MSELoss_output_0", 0, 0.65);
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK_THAT(found[0].message, contains("the network began, untrained, at "));
  CHECK(found_in("MSELoss_output_0", 0.3, 0.65).empty());  // the biases have been trained: it goes on from somewhere
  CHECK(found_in("MSELoss_output_0", 0, 0.2).empty());
  CHECK(found_in("TripletLoss_output_0", 0, 0.65).empty());
}
