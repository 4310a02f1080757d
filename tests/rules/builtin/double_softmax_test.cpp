// DoubleSoftmax.
#include <tensortap/rules/builtin/double_softmax.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

/// Returns scores of `rows` examples, and what a softmax makes of each of their rows.
struct SoftmaxRows {
  SoftmaxRows(Noise& noise, std::size_t rows, std::size_t classes) {
    for (std::size_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (std::size_t i = 0; i < classes; ++i) {
        scores.push_back(4 * (noise() - 1));
        sum += std::exp(scores.back());
      }
      for (std::size_t i = 0; i < classes; ++i) shares.push_back(std::exp(scores[row * classes + i]) / sum);
    }
  }
  std::vector<double> scores, shares;
};

/// Returns a run whose network ends with a softmax or, if not `twice`, without one.
Run run_with_softmax(bool twice, const std::string& loss, const std::string& scores, int steps = 30) {
  Run run(loss + "_output_0");
  Noise noise(1);
  for (int i = 0; i < steps; ++i) {
    const SoftmaxRows rows(noise, 8, 5);
    run.train(1.5, {{scores, table_of(twice ? rows.shares : rows.scores, 5)}});
  }
  return run;
}

}  // namespace

TEST_CASE("a softmax before a loss that applies one is found", "[rules][double_softmax]") {
  for (const std::string scores : {"CrossEntropyLoss_input_0", "Net_output_0"}) {
    const auto found = judge(tt::DoubleSoftmax{}, run_with_softmax(true, "CrossEntropyLoss", scores));
    REQUIRE(found.size() == 1);
    CHECK(found[0].tensor == scores);
    CHECK(found[0].severity == tt::Severity::error);
    CHECK(found[0].step.mode_step == 4);
    CHECK_THAT(found[0].message, contains("probabilities of 5 classes"));
  }
  CHECK(judge(tt::DoubleSoftmax{.patience = 31}, run_with_softmax(true, "CrossEntropyLoss", "Net_output_0")).empty());
  CHECK_THROWS(judge(tt::DoubleSoftmax{.patience = 0}, run_with_softmax(true, "CrossEntropyLoss", "Net_output_0")));
}

TEST_CASE("scores, and probabilities for other losses, are no double softmax", "[rules][double_softmax]") {
  CHECK(judge(tt::DoubleSoftmax{}, run_with_softmax(false, "CrossEntropyLoss", "CrossEntropyLoss_input_0")).empty());
  CHECK(judge(tt::DoubleSoftmax{}, run_with_softmax(true, "BCELoss", "BCELoss_input_0")).empty());
  CHECK(judge(tt::DoubleSoftmax{}, run_with_softmax(true, "loss", "Net_output_0")).empty());
  // The average tells probabilities from other numbers between 0 and 1.
  Run run("CrossEntropyLoss_output_0");
  Noise noise(0.1);
  for (int i = 0; i < 30; ++i) {
    std::vector<double> numbers(20);
    for (double& x : numbers) x = 0.4 * noise();
    run.train(1.5, {{"CrossEntropyLoss_input_0", table_of(numbers, 5)}});
  }
  CHECK(judge(tt::DoubleSoftmax{}, run).empty());
}

TEST_CASE("a sigmoid before a loss that applies one is found later", "[rules][double_softmax]") {
  const std::string loss = "BCEWithLogitsLoss";
  CHECK(judge(tt::DoubleSoftmax{}, run_with_softmax(true, loss, loss + "_input_0", 19)).empty());
  const auto found = judge(tt::DoubleSoftmax{}, run_with_softmax(true, loss, loss + "_input_0"));
  REQUIRE(found.size() == 1);
  CHECK(found[0].step.mode_step == 19);
  CHECK_THAT(found[0].message, contains("leave out the last sigmoid"));
  CHECK(judge(tt::DoubleSoftmax{}, run_with_softmax(false, loss, loss + "_input_0")).empty());
}
