#include <tensortap/rules/finding.hpp>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

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
  CHECK(printed({.rule = "r", .step = {tt::Mode::eval, 2, 5}, .message = "bad", .last_step = 9, .count = 3}) ==
        "r: step 5 (EVAL 2): bad; in 3 steps, the last is step 9");
  CHECK(printed({.rule = "r", .severity = tt::Severity::advice, .message = "odd"}) ==
        "r (advice): step 0 (TRAIN 0): odd");
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
  for (const auto& change : std::vector<void (*)(tt::Finding&)>{
           [](tt::Finding& f) { f.severity = tt::Severity::advice; }, [](tt::Finding& f) { f.worker = "w"; },
           [](tt::Finding& f) { f.threshold = 0; }, [](tt::Finding& f) { f.last_step = 1; },
           [](tt::Finding& f) { f.count = 2; }, [](tt::Finding& f) { f.message = "m"; },
           [](tt::Finding& f) { f.tensor = "u"; }, [](tt::Finding& f) { f.rule = "s"; }}) {
    other = finding;
    change(other);
    CHECK_FALSE(finding == other);
  }
}

TEST_CASE("a finding is one line of JSON", "[rules][finding]") {
  const tt::Finding finding{.rule = "LossSpike",
                            .severity = tt::Severity::advice,
                            .tensor = "loss",
                            .worker = "worker_0",
                            .step = {tt::Mode::train, 3, 12},
                            .value = 0.5,
                            .threshold = 1e-7,
                            .message = "it is \"high\"",
                            .last_step = 40,
                            .count = 7};
  CHECK(to_json(finding) ==
        R"({"rule": "LossSpike", "severity": "advice", "step": 12, "mode": "TRAIN", "mode_step": 3, "tensor": "loss", )"
        R"("worker": "worker_0", "value": 0.5, "threshold": 1e-07, "first_step": 12, "last_step": 40, "count": 7, )"
        R"("message": "it is \"high\""})");
  CHECK_THAT(tt::to_json({.rule = "r", .value = std::numeric_limits<double>::infinity(), .failed = true}),
             contains(R"("value": null, "threshold": null)") && contains(R"("failed": true)"));
}

TEST_CASE("JSON of a finding is valid for any names", "[rules][finding]") {
  const std::string names[] = {"\n\t\x01\x7f",         "\\\"", "\xc3\xbc", "\xff\xfe", std::string("\0", 1),
                               "</script>\xe2\x80\xa8"};
  for (const std::string& name : names) {
    const auto parsed =
        nlohmann::json::parse(tt::to_json({.rule = name, .tensor = name, .worker = name, .message = name}));
    CHECK(parsed.at("rule") == parsed.at("tensor"));
    const bool is_utf8 = name.find('\xff') == std::string::npos;
    CHECK(parsed.at("message") == (is_utf8 ? name : "\\xff\\xfe"));
  }
}
