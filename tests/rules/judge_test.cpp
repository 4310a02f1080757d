#include <tensortap/rules/judge.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

tt::Finding found(const std::string& what) { return {.message = what}; }

StepOfMap step(std::int64_t number) { return StepOfMap({tt::Mode::train, number, number}); }

}  // namespace

TEST_CASE("a judge shows each step to all rules and takes actions on their findings", "[rules][judge]") {
  std::vector<std::string> acts;
  int odd_steps = 0;
  auto judge = tt::judge(
      {[](const tt::StepView& s) -> std::optional<tt::Finding> {
         if (s.step().global_step % 2 == 0) return std::nullopt;
         return found("odd");
       },
       tt::Rule("third",
                [n = 0](const tt::StepView&) mutable {
                  return ++n == 3 ? std::vector<tt::Finding>{found("a"), found("b")} : std::vector<tt::Finding>();
                })},
      {[&](const tt::Finding& f) { acts.push_back(f.rule + " " + std::to_string(f.step.global_step) + f.message); },
       [&](const tt::Finding& f) { odd_steps += f.message == "odd" ? 1 : 0; }});
  for (std::int64_t i = 0; i < 4; ++i) judge(step(i));
  CHECK(acts == std::vector<std::string>{"rule 1odd", "third 2a", "third 2b", "rule 3odd"});
  CHECK(odd_steps == 2);
}

TEST_CASE("a rule that throws is reported once, is not called again, and harms no other", "[rules][judge]") {
  int asked = 0;
  std::vector<std::int64_t> acts;
  tt::StopSignal stop;
  auto judge = tt::judge({[&](const tt::StepView&) -> std::optional<tt::Finding> {
                            if (++asked == 2) throw std::runtime_error("broken rule");
                            return std::nullopt;
                          },
                          [](const tt::StepView& s) -> std::optional<tt::Finding> {
                            if (s.step().global_step == 0) return std::nullopt;
                            return found("fine");
                          }},
                         [&](const tt::Finding& f) { acts.push_back(f.step.global_step); });
  judge(step(0));
  CHECK(acts.empty());  // a failure takes no action
  CHECK_THROWS_WITH(judge(step(1)), "broken rule");
  judge(step(2));
  CHECK(asked == 2);
  CHECK(acts == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("an action that throws is reported and called again", "[rules][judge]") {
  int calls = 0;
  auto judge = tt::judge({[](const tt::StepView&) {
                           return std::vector<tt::Finding>{found("a"), found("b")};
                         }},
                         [&](const tt::Finding&) {
                           ++calls;
                           throw std::runtime_error("broken action");
                         });
  CHECK_THROWS_WITH(judge(step(0)), "broken action");
  CHECK_THROWS_WITH(judge(step(1)), "broken action");
  CHECK(calls == 4);
}

TEST_CASE("a copy of a judge has its own state", "[rules][judge]") {
  int findings = 0;
  auto judge = tt::judge({[n = 0](const tt::StepView&) mutable -> std::optional<tt::Finding> {
                           if (++n < 2) return std::nullopt;
                           return found("second");
                         }},
                         [&](const tt::Finding&) { ++findings; });
  auto copy = judge;
  judge(step(0));
  copy(step(0));
  CHECK(findings == 0);
  judge(step(1));
  CHECK(findings == 1);
}
