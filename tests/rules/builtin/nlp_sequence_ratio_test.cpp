#include <tensortap/rules/builtin/nlp_sequence_ratio.hpp>

#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

std::vector<tt::Finding> found_tokens(const tt::NLPSequenceRatio& rule, const std::vector<double>& tokens,
                                      const std::string& name = "embedding0_input_0") {
  return Shown(rule)(StepOfMap({tt::Mode::train, 2, 3}, {{name, tensor_of(tokens)}}));
}

}  // namespace

TEST_CASE("sequences with too much of a token are found", "[rules][nlp_sequence_ratio]") {
  const auto findings = found_tokens({}, {0, 0, 0, 7});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].value == 75);
  CHECK(findings[0].threshold == 50);
  CHECK(findings[0].step == tt::Step{tt::Mode::train, 2, 3});
  CHECK_THAT(findings[0].message, contains("75 % of the tokens are 0, above 50 %"));
  CHECK(found_tokens({}, {0, 0, 7, 7}).empty());  // at the threshold
  CHECK(found_tokens({}, {}).empty());
  CHECK(found_tokens({}, {0, 0, 0}, "fc_input_0").empty());
  CHECK(found_tokens({}, {0, 0, 0}, "Net_Embedding_input_0").size() == 1);
  CHECK(found_tokens(tt::NLPSequenceRatio::smdebug(), {0, 0, 0}, "Net_Embedding_input_0").empty());
  CHECK(found_tokens(tt::NLPSequenceRatio::smdebug(), {0, 0, 0}, "x_embedding0_input_0").size() == 1);
  CHECK(found_tokens({}, {std::numeric_limits<double>::quiet_NaN(), 0}).empty());
}

TEST_CASE("each token has its own threshold", "[rules][nlp_sequence_ratio]") {
  const tt::NLPSequenceRatio rule{.token_values = "0, 3", .token_thresholds_percent = "90,10"};
  const auto findings = found_tokens(rule, {0, 0, 0, 3});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].value == 25);
  CHECK(findings[0].threshold == 10);
  CHECK(found_tokens(rule, {0, 0, 0, 1}).empty());
}

TEST_CASE("lists of tokens that do not fit are refused", "[rules][nlp_sequence_ratio]") {
  for (const auto& [values, limits] : std::vector<std::pair<std::string, std::string>>{
           {"0,1", "50"}, {"", ""}, {"a", "50"}, {"0", "x"}, {"0", "-1"}, {"0", "101"}, {"0", "nan"}}) {
    CAPTURE(values, limits);
    CHECK_THROWS_AS(found_tokens({.token_values = values, .token_thresholds_percent = limits}, {0}), tt::Error);
  }
}
