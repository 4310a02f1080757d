// The state of rules beside the checkpoints: an interrupted run gets the verdict of an uninterrupted one.
#include <tensortap/tensortap.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// Finds every seventh value, and the sum of all so far: its findings depend on every step.
struct Sevenths {
  static constexpr const char* name = "Sevenths";
  std::int64_t count = 0;
  double sum = 0;

  std::vector<tt::Finding> operator()(const tt::JudgedStep& step) {
    std::vector<tt::Finding> out;
    const auto value = step.reduction("x", tt::Reduction::mean);
    if (!value) return out;
    sum += *value;
    if (++count % 7 == 0) out.push_back({.tensor = "x" + std::to_string(count), .value = sum});
    return out;
  }
  void exchange(tt::RuleState& state) { state(count)(sum); }
};

struct JudgedRun {
  std::shared_ptr<tt::MemoryStore> run = std::make_shared<tt::MemoryStore>();
  std::shared_ptr<tt::MemoryStore> checkpoints = std::make_shared<tt::MemoryStore>();

  [[nodiscard]] tt::HookOptions options(const tt::Judge& judge) const {
    return {.collections = {{.name = "all"}}, .save = tt::every(1), .checkpoints = checkpoints, .on_step = judge};
  }
  [[nodiscard]] std::vector<std::string> states() const {
    std::vector<std::string> out;
    for (const auto& object : checkpoints->list("tensortap-rules/")) out.push_back(object.key);
    return out;
  }
};

tt::Judge new_judge() { return tt::Judge({Sevenths{}, tt::VanishingGradient{}, tt::ExplodingTensor{}}); }

void save_step(tt::Hook& hook) {
  hook.begin_step();
  hook.save("x", 0.1 * static_cast<double>(hook.global_step()));
  hook.save("gradient/w", std::vector<float>{1e-9F, hook.global_step() % 5 == 4 ? 0.0F / 0.0F : 0.0F});
}

/// Commits a checkpoint.
void commit(tt::Hook& hook, const JudgedRun& machine) {
  const std::string name = "model-" + std::to_string(hook.global_step());
  machine.checkpoints->put(name, "weights");
  hook.commit(name);
}

tt::Verdict uninterrupted(std::int64_t steps) {
  const JudgedRun machine;
  const tt::Judge judge = new_judge();
  tt::Hook hook(machine.run, machine.options(judge));
  while (hook.next_step() < steps) save_step(hook);
  hook.close();
  return judge.verdict();
}

}  // namespace

TEST_CASE("a judge continues where the last commit was", "[capture][observer]") {
  constexpr std::int64_t steps = 60;
  const tt::Verdict expected = uninterrupted(steps);
  REQUIRE(expected.findings.size() > 8);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    const JudgedRun machine;
    for (bool done = false; !done;) {
      const tt::Judge judge = new_judge();
      tt::Hook hook(machine.run, machine.options(judge));
      const auto lives = static_cast<std::int64_t>(random() % 25);
      commit(hook, machine);
      for (std::int64_t i = 0; i < lives && hook.next_step() < steps; ++i) {
        save_step(hook);
        if (random() % 3 == 0) commit(hook, machine);
      }
      done = hook.next_step() == steps;
      if (!done) continue;  // this machine is gone
      hook.close();
      CHECK(judge.verdict() == expected);
      CHECK(hook.status().notes.empty());
    }
    CHECK(tt::evaluate(tt::Trial(machine.run), {Sevenths{}, tt::VanishingGradient{}, tt::ExplodingTensor{}}).findings ==
          expected.findings);
  }
}

TEST_CASE("a state of other rules, or a damaged one, is noted or skipped", "[capture][observer]") {
  const JudgedRun machine;
  {
    const tt::Judge judge = new_judge();
    tt::Hook hook(machine.run, machine.options(judge));
    for (int i = 0; i < 8; ++i) save_step(hook);
    commit(hook, machine);
    save_step(hook);
    commit(hook, machine);
  }
  CHECK(machine.states() == std::vector<std::string>{"tensortap-rules/worker_0-7", "tensortap-rules/worker_0-8"});
  SECTION("other rules begin anew") {
    const tt::Judge other({tt::ExplodingTensor{}});
    const tt::Hook hook(machine.run, machine.options(other));
    REQUIRE(hook.status().notes.size() == 1);
    CHECK_THAT(hook.status().notes[0], contains("the rules begin anew"));
    CHECK(other.verdict().findings.empty());
  }
  SECTION("a commit whose state has changed is skipped, as if a file of its checkpoint had") {
    machine.checkpoints->put("tensortap-rules/worker_0-8", "garbage");
    const tt::Judge judge = new_judge();
    const tt::Hook hook(machine.run, machine.options(judge));
    CHECK(hook.resumed()->global_step == 7);
    CHECK(judge.verdict() == uninterrupted(8));
  }
  SECTION("without a judge the state is not read") {
    tt::HookOptions options = machine.options(new_judge());
    options.on_step = [](const tt::StepView&) {};
    tt::Hook hook(machine.run, options);
    CHECK(hook.status().notes.empty());
    commit(hook, machine);
    CHECK(machine.states().size() == 2);
  }
}

TEST_CASE("states of commits that are forgotten are removed", "[capture][observer]") {
  const JudgedRun machine;
  const tt::Judge judge = new_judge();
  tt::Hook hook(machine.run, machine.options(judge));
  for (int i = 0; i < 120; ++i) {
    save_step(hook);
    commit(hook, machine);
  }
  CHECK(machine.states().size() == 100);
}
