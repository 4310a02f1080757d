#include <tensortap/rules/builtin/vanishing_gradient.hpp>
#include <tensortap/rules/rule.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

struct Counts {
  static constexpr const char* name = "Counts";
  int steps = 0;
  std::vector<tt::Finding> operator()(const tt::StepView&) {
    ++steps;
    return std::vector<tt::Finding>(static_cast<std::size_t>(steps), tt::Finding{.rule = steps == 2 ? "other" : ""});
  }
};

/// Returns the documented rule, which requires the mean magnitude of `collection`.
tt::VanishingGradient documented(std::int64_t interval = 500, std::string collection = "gradients") {
  tt::VanishingGradient rule = tt::VanishingGradient::smdebug();
  rule.collection = std::move(collection);
  rule.save = tt::every(interval);
  return rule;
}

/// Returns a rule that requires these collections.
tt::Rule wants(std::vector<tt::Collection> collections) {
  return tt::Rule(
      "wants", [](const tt::StepView&) { return std::optional<tt::Finding>(); }, std::move(collections));
}

}  // namespace

TEST_CASE("a lambda is a rule", "[rules][rule]") {
  std::vector<tt::Rule> rules = {[](const tt::StepView& step) -> std::optional<tt::Finding> {
    if (step.step().mode_step < 2) return std::nullopt;
    return tt::Finding{.tensor = "x", .value = 7};
  }};
  CHECK(rules[0].name() == "rule");
  CHECK(rules[0].required().empty());
  Shown shown(rules[0]);
  CHECK(shown(StepOfMap({tt::Mode::eval, 1, 5})).empty());
  const auto findings = shown(StepOfMap({tt::Mode::eval, 2, 9}));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0] ==
        tt::Finding{.rule = "rule", .tensor = "x", .step = {tt::Mode::eval, 2, 9}, .value = 7, .last_step = 9});
}

TEST_CASE("an aggregate with a name is a rule, and a copy has its own state", "[rules][rule]") {
  tt::Rule rule = Counts{};
  CHECK(rule.name() == "Counts");
  tt::detail::TensorCatalog catalog;
  const StepOfMap view({tt::Mode::train, 0, 0});
  const tt::JudgedStep step(catalog, view);
  CHECK(rule(step).size() == 1);
  tt::Rule copy = rule;
  const auto second = copy(step);
  REQUIRE(second.size() == 2);
  CHECK(second[0].rule == "other");  // a rule may set another name
  CHECK(copy(step).size() == 3);
  CHECK(rule(step).size() == 2);
  CHECK(tt::Rule("named", Counts{}).name() == "named");
}

TEST_CASE("an exception of the callable passes through the rule", "[rules][rule]") {
  Shown rule([](const tt::StepView&) -> std::vector<tt::Finding> { throw std::runtime_error("no"); });
  CHECK_THROWS_WITH(rule(StepOfMap({})), "no");
}

TEST_CASE("the requirements of several rules are united", "[rules][rule]") {
  CHECK(tt::required_by({}).empty());
  const auto one = tt::required_by({documented()});
  REQUIRE(one.size() == 1);
  CHECK(one[0].name == "gradients");
  CHECK(one[0].save == tt::every(500));
  CHECK(one[0].reductions == tt::Reductions{R::abs_mean});
  CHECK_FALSE(one[0].saves_raw());

  const auto two = tt::required_by({documented(30), documented(500, "other"),
                                    wants({{.name = "gradients", .save = tt::every(20), .reductions = {R::max}}})});
  REQUIRE(two.size() == 2);
  CHECK(two[0].save == (tt::every(20) | tt::every(30)));
  CHECK(two[0].reductions == tt::Reductions{R::abs_mean, R::max});
  CHECK_FALSE(two[0].saves_raw());
  CHECK(two[1].name == "other");
}

TEST_CASE("a collection that one rule needs raw is saved raw", "[rules][rule]") {
  const auto required = tt::required_by({documented(), wants({{.name = "gradients"}})});
  REQUIRE(required.size() == 1);
  CHECK(required[0].saves_raw());
  CHECK(required[0].reductions == tt::Reductions{R::abs_mean});
  CHECK(required[0].save == tt::every(500));  // the other rule has no requirement
}

TEST_CASE("a collection has the patterns of all rules, and the built-in one if a rule relies on it", "[rules][rule]") {
  const auto patterns = [](std::vector<tt::Collection> a, std::vector<tt::Collection> b) {
    return tt::required_by({wants(std::move(a)), wants(std::move(b))}).at(0).include_regex.list();
  };
  using List = std::vector<std::string>;
  CHECK(patterns({{.name = "c", .include_regex = {"x", "y"}}}, {{.name = "c", .include_regex = {"y", "z"}}}) ==
        List{"x", "y", "z"});
  CHECK(patterns({{.name = "gradients"}}, {{.name = "gradients", .include_regex = "z"}}) ==
        List{std::string(*tt::builtin_pattern("gradients")), "z"});
  CHECK(patterns({{.name = "gradients"}}, {{.name = "gradients"}}).empty());               // the hook fills them in
  const auto names = tt::required_by({wants({{.name = "c", .tensor_names = {"a", "b"}}}),  //
                                      wants({{.name = "c", .tensor_names = {"b", "d"}}})});
  CHECK(names.at(0).tensor_names == List{"a", "b", "d"});
}

TEST_CASE("a collection is saved whenever one of the rules needs it", "[rules][rule]") {
  const std::vector<tt::SaveConfig> configs = {
      tt::every(1),
      tt::every(6),
      tt::every(4) & tt::from(10),
      tt::every(9) & tt::until(30),
      tt::every(15) & tt::from(5) & tt::until(50),
      tt::at({1, 7, 8}),
      tt::every(10) | tt::at({3}),
      tt::every(5) & tt::during(tt::Mode::eval),
      tt::SaveConfig::never(),
      tt::SaveConfig::when([](const tt::Step& s) { return s.mode_step == 13; })};
  for (const auto& a : configs)
    for (const auto& b : configs) {
      const auto required = tt::required_by({wants({{.name = "c", .save = a}}), wants({{.name = "c", .save = b}})});
      for (const tt::Mode mode : tt::all_modes)
        for (std::int64_t step = 0; step < 70; ++step) {
          const tt::Step at{mode, step, step};
          CHECK(required[0].save->includes(at) == (a.includes(at) || b.includes(at)));
        }
    }
  const auto rare = tt::required_by({wants({{.name = "c", .save = tt::every(6)}}),  //
                                     wants({{.name = "c", .save = tt::every(4)}})});
  CHECK_FALSE(rare[0].save->includes({tt::Mode::train, 1, 1}));
  const auto steps = tt::required_by({wants({{.name = "c", .save = tt::at({3})}}),  //
                                      wants({{.name = "c", .save = tt::at({5})}})});
  CHECK(steps[0].save == tt::at({3, 5}));
}
