#include <tensortap/rules/finding.hpp>

#include <limits>
#include <sstream>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

std::string printed(const tt::Finding& finding) {
  std::ostringstream out;
  out << finding;
  return out.str();
}

}  // namespace

TEST_CASE("a finding is printed as one line", "[rules][finding]") {
  const tt::Finding finding{.rule = "LossIsNaN",
                            .tensor = "loss",
                            .step = {tt::Mode::train, 3, 12},
                            .value = 0.5,
                            .message = "the loss is not a number"};
  CHECK(printed(finding) == "LossIsNaN: step 12 (TRAIN 3): \"loss\": the loss is not a number");
  CHECK(printed({.rule = "r", .step = {tt::Mode::global, 12, 12}, .value = 1e-9}) == "r: step 12: 1e-09");
  CHECK(printed({.rule = "r", .message = "no luck", .failed = true}) == "r: step 0 (TRAIN 0): failed: no luck");
}

TEST_CASE("a finding prints no control characters", "[rules][finding]") {
  const std::string line = printed({.rule = "r\x1b[2J", .tensor = "t\n\x9b", .message = "a\nb\x7f\x1b]0;x\x07"});
  for (const char c : line) CHECK((static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f));
  CHECK(line == R"(r\x1b[2J: step 0 (TRAIN 0): "t\n\x9b": a\nb\x7f\x1b]0;x\x07)");
}

TEST_CASE("findings are equal if all their fields are", "[rules][finding]") {
  const tt::Finding finding{.rule = "r", .tensor = "t", .value = std::numeric_limits<double>::quiet_NaN()};
  CHECK(finding == finding);
  tt::Finding other = finding;
  other.value = 0;
  CHECK_FALSE(finding == other);
  other = finding;
  other.step.global_step = 1;
  CHECK_FALSE(finding == other);
  other = finding;
  other.failed = true;
  CHECK_FALSE(finding == other);
}
