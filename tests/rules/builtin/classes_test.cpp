// ClassImbalance and Confusion.
#include <tensortap/rules/builtin/class_imbalance.hpp>
#include <tensortap/rules/builtin/confusion.hpp>

#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

Run run_of(const std::vector<std::int64_t>& labels, const std::vector<std::int64_t>& predictions, int steps) {
  Run run;
  for (int i = 0; i < steps; ++i)
    run.only(tt::Mode::train, {{"labels", classes_of(labels)}, {"predictions", classes_of(predictions)}});
  return run;
}

}  // namespace

TEST_CASE("smdebug's imbalance: 990 zeros and 10 ones", "[rules][class_imbalance]") {
  std::vector<std::int64_t> labels(1000, 0);
  std::fill(labels.begin(), labels.begin() + 10, 1);
  const auto found = judge(tt::ClassImbalance::smdebug(), run_of(labels, labels, 1));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK(found[0].value == 99);
  CHECK(found[0].step.mode_step == 0);
  CHECK(judge(tt::ClassImbalance{}, run_of(labels, labels, 1)).at(0).severity == tt::Severity::advice);
  tt::ClassImbalance rule = tt::ClassImbalance::smdebug();
  rule.samples = 1001;
  CHECK(judge(rule, run_of(labels, labels, 1)).empty());
  rule.labels_regex = ".*labels";
  rule.predictions_regex = ".*predictions";
  CHECK(judge(rule, run_of(labels, labels, 2)).size() == 1);
}

TEST_CASE("smdebug's imbalance: a class that is mispredicted", "[rules][class_imbalance]") {
  const std::vector<std::int64_t> labels = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  CHECK(judge(tt::ClassImbalance::smdebug(), run_of(labels, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 50)).at(0).value ==
        Approx(0.8));
  CHECK(judge(tt::ClassImbalance::smdebug(), run_of(labels, {0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, 50)).empty());
}

TEST_CASE("a class that is always mispredicted late in training", "[rules][class_imbalance]") {
  const std::vector<std::int64_t> labels = {0, 0, 0, 0, 0, 1, 1, 1, 1, 2};
  const auto found = judge(tt::ClassImbalance{}, run_of(labels, {0, 0, 0, 0, 0, 1, 1, 1, 1, 0}, 300));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::advice);  // it is rare
  CHECK(found[0].step.mode_step == 199);             // the second window after step 100
  CHECK_THAT(found[0].message, contains("class 2"));
  CHECK(judge(tt::ClassImbalance{}, run_of(labels, labels, 300)).empty());
  CHECK(judge(tt::ClassImbalance{}, run_of(labels, {1, 2, 0, 1, 2, 0, 2, 0, 0, 0}, 300)).empty());  // all are wrong
}

TEST_CASE("a class that an evaluation shows to be ignored", "[rules][class_imbalance]") {
  for (const bool is_rare : {false, true}) {
    const std::vector<std::int64_t> labels = {0, 0, 0, 1, 1, 1, is_rare ? 0 : 2, is_rare ? 1 : 2, 2};
    std::vector<std::int64_t> predictions = labels;
    for (std::int64_t& label : predictions) label = label == 2 ? 0 : label;
    Run run;
    for (int i = 0; i < 300; ++i)
      run.only(tt::Mode::eval, {{"labels", classes_of(labels)}, {"predictions", classes_of(predictions)}});
    const auto found = judge(tt::ClassImbalance{}, run);
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == (is_rare ? tt::Severity::advice : tt::Severity::error));
  }
}

TEST_CASE("a class may be learned late, while the training loss is high", "[rules][class_imbalance]") {
  for (const double loss : {0.5, 0.1}) {
    const std::vector<std::int64_t> labels = {0, 0, 0, 1, 1, 1, 2, 2, 2};
    Run run;
    for (int i = 0; i < 300; ++i) {
      run.train(i == 0 ? 1 : loss);
      run.only(tt::Mode::eval,
               {{"labels", classes_of(labels)}, {"predictions", classes_of({0, 0, 0, 1, 1, 1, 0, 0, 0})}});
    }
    const auto found = judge(tt::ClassImbalance{}, run);
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == (loss > 0.3 ? tt::Severity::advice : tt::Severity::error));
  }
}

TEST_CASE("labels of one class alone", "[rules][class_imbalance]") {
  const auto found = judge(tt::ClassImbalance{}, run_of({2, 2, 2, 2}, {0, 1, 2, 3}, 130));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK(found[0].step.mode_step == 124);
}

TEST_CASE("counts of classes show an imbalance as the elements do", "[rules][class_imbalance]") {
  std::vector<std::int64_t> rare(60, 0);
  rare[7] = 3;
  for (const std::vector<std::int64_t>& labels : {rare, std::vector<std::int64_t>(60, 1)}) {
    for (const auto& rule : {tt::ClassImbalance{}, tt::ClassImbalance::smdebug()}) {
      Run counted;
      counted.only_counts = true;
      for (int i = 0; i < 40; ++i) counted.only(tt::Mode::train, {{"labels", classes_of(labels)}});
      Run saved;
      for (int i = 0; i < 40; ++i) saved.only(tt::Mode::train, {{"labels", classes_of(labels)}});
      CHECK(judge(rule, counted) == judge(rule, saved));
    }
  }
  Run counted;
  counted.only_counts = true;
  for (int i = 0; i < 40; ++i) counted.only(tt::Mode::train, {{"labels", classes_of(rare)}});
  CHECK(judge(tt::ClassImbalance::smdebug(), counted).at(0).value == 59);
  CHECK(judge(tt::Confusion{}, counted).empty());
}

TEST_CASE("smdebug's confusion is that of a class", "[rules][confusion]") {
  const std::vector<std::int64_t> ten = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(judge(tt::Confusion::smdebug(), run_of(ten, ten, 3)).empty());
  const auto found = judge(tt::Confusion::smdebug(), run_of(ten, {0, 1, 2, 3, 4, 5, 6, 7, 8, 8}, 3));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK_THAT(found[0].message, contains("class 9"));
  CHECK(found[0].count == 3);
  tt::Confusion rule = tt::Confusion::smdebug();
  rule.category_no = 9;
  CHECK(judge(rule, run_of(ten, {0, 1, 2, 3, 4, 5, 6, 7, 8, 8}, 3)).empty());
}

TEST_CASE("swapped classes are found, an undecided network is not", "[rules][confusion]") {
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 2, 2};
  const auto found = judge(tt::Confusion{}, run_of(labels, {0, 0, 2, 2, 1, 1}, 300));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == tt::Severity::error);
  CHECK(judge(tt::Confusion{}, run_of(labels, {0, 1, 2, 1, 2, 0}, 300)).empty());
  CHECK(judge(tt::Confusion{}, run_of(labels, {0, 0, 0, 0, 0, 0}, 300)).at(0).severity == tt::Severity::advice);
}
