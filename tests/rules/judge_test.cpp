#include <tensortap/rules/builtin/all_rules.hpp>
#include <tensortap/rules/judge.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

/// Returns a finding about a tensor of this name.
tt::Finding found(const std::string& what) { return {.tensor = what, .value = 1, .message = what}; }

StepOfMap step(std::int64_t number) { return StepOfMap({tt::Mode::train, number, number}); }

}  // namespace

TEST_CASE("a judge shows each step to all rules and takes actions on their findings", "[rules][judge]") {
  std::vector<std::string> acts;
  int odd_steps = 0;
  const tt::Judge judge(
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
  CHECK(acts == std::vector<std::string>{"rule 1odd", "third 2a", "third 2b"});
  CHECK(odd_steps == 1);  // an action sees a finding once
  const tt::Verdict verdict = judge.verdict();
  REQUIRE(verdict.findings.size() == 3);
  CHECK(verdict.findings[0].count == 2);
  CHECK(verdict.findings[0].last_step == 3);
  CHECK(verdict.findings[0].worker == "worker_0");
}

TEST_CASE("a rule that throws is reported once, is not called again, and harms no other", "[rules][judge]") {
  int asked = 0;
  std::vector<std::int64_t> acts;
  tt::StopSignal stop;
  const tt::Judge judge({[&](const tt::StepView&) -> std::optional<tt::Finding> {
                           if (++asked == 2) throw std::runtime_error("broken rule");
                           return std::nullopt;
                         },
                         [](const tt::StepView& s) -> std::optional<tt::Finding> {
                           if (s.step().global_step == 0) return std::nullopt;
                           return found("fine " + std::to_string(s.step().global_step));
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
  const tt::Judge judge(
      {[](const tt::StepView& s) {
        return std::vector<tt::Finding>{found("a" + std::to_string(s.step().global_step)), found("b")};
      }},
      [&](const tt::Finding&) {
        ++calls;
        throw std::runtime_error("broken action");
      });
  CHECK_THROWS_WITH(judge(step(0)), "broken action");
  CHECK_THROWS_WITH(judge(step(1)), "broken action");
  CHECK(calls == 3);
}

TEST_CASE("copies of a judge share one state", "[rules][judge]") {
  int findings = 0;
  const tt::Judge judge({[n = 0](const tt::StepView&) mutable -> std::optional<tt::Finding> {
                          if (++n < 2) return std::nullopt;
                          return found("second");
                        }},
                        [&](const tt::Finding&) { ++findings; });
  const tt::Judge copy = judge;  // NOLINT(performance-unnecessary-copy-initialization)
  judge(step(0));
  CHECK(findings == 0);
  copy(step(1));
  CHECK(findings == 1);
  CHECK(judge.verdict() == copy.verdict());
  CHECK(judge.verdict().findings.size() == 1);
}

namespace {

/// A rule with state of every kind.
struct Memory {
  static constexpr std::string_view name = "Memory";
  std::map<std::string, std::vector<double>> seen = {};
  std::optional<double> last = {};
  bool is_odd = false;

  std::vector<tt::Finding> operator()(const tt::JudgedStep& step) {
    std::vector<tt::Finding> out;
    for (const tt::KnownTensor* tensor : step.saved()) {
      const tt::Statistics* const s = step.statistics(*tensor);
      if (s == nullptr) continue;
      auto& values = seen[tensor->name];
      values.push_back(s->mean());
      if (values.size() > 5) values.erase(values.begin());
      double sum = last.value_or(0);
      for (const double value : values) sum += value;
      last = sum / 7;
      is_odd = !is_odd;
      if (is_odd && std::fmod(std::abs(sum), 3) < 1)
        out.push_back(
            {.severity = sum > 0 ? tt::Severity::error : tt::Severity::advice, .tensor = tensor->name, .value = sum});
    }
    return out;
  }
  void exchange(tt::RuleState& state) { state(seen)(last)(is_odd); }
};

/// Returns step `number` of a training of several layers with other tensors from time to time.
StepOfMap training_step(std::int64_t number, std::uint32_t seed) {
  std::mt19937 random(seed * 1000 + static_cast<std::uint32_t>(number));
  const auto numbers = [&](std::size_t n) {
    std::vector<double> out(n);
    for (double& x : out) x = static_cast<double>(random() % 2000) / 500 - 2;
    if (random() % 13 == 0) out[0] = std::numeric_limits<double>::quiet_NaN();
    return tensor_of(out);
  };
  std::map<std::string, tt::Tensor, std::less<>> tensors;
  tensors["CrossEntropyLoss_output_0"] = numbers(1);
  for (const char* const layer : {"fc1", "fc2", "fc10"}) {
    if (random() % 4 == 0) continue;
    tensors[std::string(layer) + ".weight"] = numbers(6);
    tensors["gradient/" + std::string(layer) + ".weight"] = numbers(6);
  }
  if (number % 5 == 4) tensors["step_" + std::to_string(number)] = numbers(2);
  tensors["x/labels"] = tensor_of(std::vector<double>(64, static_cast<double>(number % 2)));
  tensors["in_gradients"] = numbers(3);
  return StepOfMap({number % 4 == 3 ? tt::Mode::eval : tt::Mode::train, number, number}, tensors,
                   {{"gradients", {"in_gradients"}}});
}

std::vector<tt::Rule> stateful_rules() {
  auto rules = tt::all_rules();
  rules.emplace_back(Memory{});
  rules.emplace_back(tt::Rule("Fails", [](const tt::StepView& s) -> std::vector<tt::Finding> {
    if (s.step().global_step == 6) throw std::runtime_error("at step 6");
    return {};
  }));
  return rules;
}

void show(const tt::Judge& judge, std::int64_t from, std::int64_t to, std::uint32_t seed) {
  for (std::int64_t i = from; i < to; ++i) try {
      judge(training_step(i, seed));
    } catch (const std::runtime_error&) {
      if (i != 6) throw;
    }
}

}  // namespace

TEST_CASE("a judge that continues from a state finds what an uninterrupted one finds", "[rules][judge]") {
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    constexpr std::int64_t last = 40;
    const tt::Judge whole(stateful_rules());
    show(whole, 0, last, seed);
    CHECK_FALSE(whole.verdict().findings.empty());
    std::mt19937 random(seed);
    for (int times = 0; times < 4; ++times) {
      const auto first = static_cast<std::int64_t>(random() % (last + 1));
      const auto second = first + static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(last + 1 - first));
      CAPTURE(first, second);
      const tt::Judge before(stateful_rules());
      show(before, 0, first, seed);
      const tt::Judge between(stateful_rules());
      show(between, 0, 3, seed + 1);  // which a restored state replaces
      REQUIRE(between.restore(before.state()));
      CHECK(between.verdict() == before.verdict());
      CHECK((between.state() == before.state()));
      show(between, first, second, seed);
      const tt::Judge after(stateful_rules());
      REQUIRE(after.restore(between.state()));
      show(after, second, last, seed);
      CHECK(after.verdict() == whole.verdict());
      CHECK((after.state() == whole.state()));
    }
  }
}

TEST_CASE("a state that is damaged or of other rules is refused", "[rules][judge]") {
  const tt::Judge judge(stateful_rules());
  show(judge, 0, 20, 1);
  const std::string state = judge.state();
  const tt::Judge fresh(stateful_rules());
  show(fresh, 0, 5, 2);
  for (std::size_t size = 0; size < state.size(); size += size < 200 ? 1 : 37) {
    CAPTURE(size);
    CHECK_FALSE(fresh.restore(state.substr(0, size)));
    CHECK(fresh.verdict().findings.empty());
  }
  CHECK_FALSE(fresh.restore(state + '\0'));
  for (std::size_t at = 0; at < state.size(); at += 11) {
    std::string damaged = state;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    CHECK_FALSE(fresh.restore(damaged));
  }
  CHECK_FALSE(tt::Judge(std::vector<tt::Rule>{}).restore(state));
  auto others = stateful_rules();
  others.pop_back();
  CHECK_FALSE(tt::Judge(others).restore(state));
  others.insert(others.begin(), tt::Rule("Fails", [](const tt::StepView&) { return std::vector<tt::Finding>(); }));
  CHECK_FALSE(tt::Judge(others).restore(state));  // as many, in another order
  CHECK(fresh.restore(state));
  CHECK(fresh.verdict() == judge.verdict());
}
