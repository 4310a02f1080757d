// Errors about a training that does not learn become advice when it does.
#include <tensortap/rules/judge.hpp>

#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

/// Finds something in the steps `at`.
struct FindsAt {
  static constexpr const char* name = "FindsAt";
  std::vector<std::int64_t> at;
  bool may_recover = true;

  std::vector<tt::Finding> operator()(const tt::JudgedStep& step) const {
    for (const std::int64_t one : at)
      if (step.step().mode_step == one) return {{.tensor = "loss", .message = "bad"}};
    return {};
  }
  [[nodiscard]] bool recovers() const { return may_recover; }
};

/// Returns the findings of `rule` in a run of 100 steps with these losses, interrupted after `interruption` steps.
std::vector<tt::Finding> found(const FindsAt& rule, const std::function<double(std::int64_t)>& loss,
                               std::int64_t interruption = 1000) {
  tt::Judge judge({rule});
  for (std::int64_t i = 0; i < 100; ++i) {
    if (i == interruption) {
      const std::string state = judge.state();
      judge = tt::Judge({rule});
      REQUIRE(judge.restore(state));
    }
    judge(StepOfMap({tt::Mode::train, i, i}, {{"loss", tensor_of({loss(i)})}}));
  }
  return judge.verdict().findings;
}

double falls(std::int64_t i) { return i < 50 ? 1 : 0.1; }

}  // namespace

TEST_CASE("an error becomes advice when the loss has fallen since", "[rules][recovery]") {
  const auto findings = found({.at = {20, 21}}, falls);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].step.mode_step == 20);
  CHECK(findings[0].count == 2);
  CHECK_THAT(findings[0].message, contains("bad; the loss has fallen since, by step 5"));
  for (const std::int64_t interruption : {10, 30, 52, 90})
    CHECK(found({.at = {20, 21}}, falls, interruption) == findings);
}

TEST_CASE("an error stays if the loss does not fall, falls below zero, or the rule has no recovery",
          "[rules][recovery]") {
  CHECK(found({.at = {20}}, [](std::int64_t) { return 1.0; })[0].severity == tt::Severity::error);
  CHECK(found({.at = {20}}, [](std::int64_t i) { return i < 50 ? 1.0 : 0.9; })[0].severity == tt::Severity::error);
  CHECK(found({.at = {20}}, [](std::int64_t i) { return i < 50 ? 1.0 : -5.0; })[0].severity == tt::Severity::error);
  CHECK(found({.at = {20}, .may_recover = false}, falls)[0].severity == tt::Severity::error);
  // It falls, but only to where it began.
  CHECK(found({.at = {20}}, [](std::int64_t i) { return i < 5 || i > 50 ? 1.0 : 9.0; })[0].severity ==
        tt::Severity::error);
}

TEST_CASE("an error stays while predictions are no better than a constant one", "[rules][recovery]") {
  // The loss falls, but it is not a loss of these labels.
  const auto findings_with = [](bool are_right) {
    tt::Judge judge({FindsAt{.at = {20}}});
    for (std::int64_t i = 0; i < 100; ++i) {
      std::vector<double> labels(10);
      std::vector<double> predictions(10);
      for (std::size_t k = 0; k < 10; ++k) {
        labels[k] = static_cast<double>(k % 2);
        predictions[k] = are_right ? labels[k] : 0;
      }
      judge(StepOfMap({tt::Mode::train, i, i}, {{"CrossEntropyLoss_output_0", tensor_of({falls(i)})},
                                                {"labels", tensor_of(labels)},
                                                {"predictions", tensor_of(predictions)}}));
    }
    return judge.verdict().findings;
  };
  CHECK(findings_with(false).at(0).severity == tt::Severity::error);
  CHECK(findings_with(true).at(0).severity == tt::Severity::advice);
}

TEST_CASE("a loss that was lower has to come back to that", "[rules][recovery]") {
  const auto ends_at = [](double end) {
    return [end](std::int64_t i) { return i < 5 ? 1 : i < 30 ? 0.1 : i < 50 ? 3 : end; };
  };
  CHECK(found({.at = {45}}, ends_at(0.5))[0].severity == tt::Severity::error);  // 0.5 is far below the first value
  CHECK(found({.at = {45}}, ends_at(0.1))[0].severity == tt::Severity::advice);
}

TEST_CASE("after a recovery, the next error is a new one", "[rules][recovery]") {
  const auto findings = found({.at = {20, 80}}, falls);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[1].severity == tt::Severity::error);
  CHECK(findings[1].step.mode_step == 80);
}

TEST_CASE("a training is learning when most predictions are right, although its loss is still high",
          "[rules][recovery]") {
  const auto severity_with = [](std::size_t right, double last) {
    tt::Judge judge({FindsAt{.at = {20}}});
    for (std::int64_t i = 0; i < 150; ++i) {
      std::vector<double> labels(10);
      std::vector<double> predictions(10);
      for (std::size_t k = 0; k < 10; ++k) {
        labels[k] = static_cast<double>(k % 2);
        predictions[k] = k < right ? labels[k] : 1 - labels[k];
      }
      judge(StepOfMap({tt::Mode::train, i, i}, {{"CrossEntropyLoss_output_0", tensor_of({i < 50 ? 0.69 : last})},
                                                {"labels", tensor_of(labels)},
                                                {"predictions", tensor_of(predictions)}}));
    }
    return judge.verdict().findings.at(0).severity;
  };
  CHECK(severity_with(9, 0.57) == tt::Severity::advice);  // the loss is above 70 % of chance
  CHECK(severity_with(8, 0.57) == tt::Severity::error);
  CHECK(severity_with(9, 0.66) == tt::Severity::error);
}
