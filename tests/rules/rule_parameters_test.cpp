#include <tensortap/rules/builtin/all_rules.hpp>
#include <tensortap/rules/builtin/vanishing_gradient.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/rule_parameters.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

/// A rule that finds its own parameters.
struct Settings {
  static constexpr std::string_view name = "Settings";
  double real = 0.1;
  double off = std::numeric_limits<double>::quiet_NaN();
  std::int64_t whole = -3;
  bool flag = false;
  std::string text = "a,b";

  std::vector<tt::Finding> operator()(const tt::JudgedStep&) const {
    const std::string message =
        std::to_string(whole) + (flag ? " yes " : " no ") + text + (std::isnan(off) ? " off" : " on");
    return {{.value = real, .message = message}};
  }
  void visit(tt::ParameterVisitor& visitor) {
    visitor("real", real, "a number, in meters");
    visitor("off", off, "a limit; empty: none");
    visitor("whole", whole, "a count");
    visitor("flag", flag, "whether");
    visitor("text", text, "names");
  }
};

}  // namespace

TEST_CASE("the parameters of a rule are listed with their values", "[rules][rule_parameters]") {
  const tt::Rule rule = Settings{};
  CHECK(rule.parameters() == std::vector<tt::RuleParameter>{{"real", "0.1", "a number, in meters"},
                                                            {"off", "", "a limit; empty: none"},
                                                            {"whole", "-3", "a count"},
                                                            {"flag", "false", "whether"},
                                                            {"text", "a,b", "names"}});
  CHECK(tt::Rule([](const tt::StepView&) { return std::vector<tt::Finding>(); }).parameters().empty());
}

TEST_CASE("a parameter is set from text", "[rules][rule_parameters]") {
  tt::Rule rule = Settings{};
  const tt::Rule untouched = rule;
  rule.set("real", "2.5e-3");
  rule.set("off", "1");
  rule.set("whole", "12");
  rule.set("flag", "true");
  rule.set("text", "=x.y");
  const StepOfMap step({});
  const auto findings = Shown(rule)(step);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].value == 2.5e-3);
  CHECK(findings[0].message == "12 yes =x.y on");
  rule.set("off", "");
  rule.set("text", "");
  CHECK(Shown(rule)(step)[0].message == "12 yes  off");
  CHECK(Shown(untouched)(step)[0].message == "-3 no a,b off");
  for (const auto& parameter : untouched.parameters()) rule.set(parameter.name, parameter.value);
  CHECK(rule.parameters() == untouched.parameters());
}

TEST_CASE("a value that is not of the type of its parameter is refused, and changes nothing",
          "[rules][rule_parameters]") {
  tt::Rule rule = Settings{};
  const auto before = rule.parameters();
  const std::vector<std::pair<std::string, std::vector<std::string>>> bad = {
      {"real", {"x", "1x", " 1", "1,5", "0x1p3", "--1", "1e999"}},
      {"whole", {"", "1.5", "1e3", "99999999999999999999", "three"}},
      {"flag", {"", "yes", "1", "True"}}};
  for (const auto& [name, values] : bad)
    for (const std::string& value : values) {
      CAPTURE(name, value);
      CHECK_THROWS_WITH(rule.set(name, value), contains("rule: Settings: " + name + ": the value is not of its type"));
    }
  CHECK(rule.parameters() == before);
  CHECK_THROWS_WITH(rule.set("reel", "1"), contains("it has no parameter \"reel\"") && contains("\"real\""));
}

TEST_CASE("every built-in rule can be listed, set and found by its name", "[rules][rule_parameters]") {
  std::set<std::string> names;
  std::string last;
  for (tt::Rule& rule : tt::all_rules()) {
    CAPTURE(rule.name());
    CHECK(names.insert(rule.name()).second);
    CHECK(last < rule.name());
    last = rule.name();
    CHECK(tt::rule_named(rule.name()).parameters() == rule.parameters());
    const tt::RuleText text = rule.text();
    CHECK_FALSE(text.condition.empty());
    CHECK_FALSE(text.needs.empty());
    CHECK_FALSE(text.source.empty());
    std::set<std::string> parameters;
    for (const tt::RuleParameter& parameter : rule.parameters()) {
      CHECK(parameters.insert(parameter.name).second);
      CHECK_FALSE(parameter.meaning.empty());
      rule.set(parameter.name, parameter.value);
    }
  }
  for (const tt::Rule& rule : tt::smdebug_rules()) {
    CAPTURE(rule.name());
    CHECK(names.count(rule.name()) == 1);
    CHECK(tt::rule_named(rule.name(), tt::smdebug_rules()).parameters() == rule.parameters());
  }
  CHECK_THROWS_WITH(tt::rule_named("VanishingGradients"), contains("\"VanishingGradient\""));
}
