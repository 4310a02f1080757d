// The same rules find the same in the same steps: later, while a run is followed through its interruptions, and inside
// the training process.
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/judge.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "rules/step_of_map.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

using Findings = std::vector<tt::Finding>;

/// Finds losses that are multiples of `n`.
struct Multiples {
  static constexpr const char* name = "Multiples";
  std::int64_t n = 3;
  std::optional<tt::Finding> operator()(const tt::StepView& step) const {
    const auto loss = step.value("loss");
    if (!loss || static_cast<std::int64_t>(loss->number(0)) % n != 0) return std::nullopt;
    return tt::Finding{.tensor = "loss", .value = loss->number(0)};
  }
};

/// A rule with state: it reports the sum of all losses at every second step.
struct Sums {
  static constexpr const char* name = "Sums";
  int seen = 0;
  double sum = 0;
  std::vector<tt::Finding> operator()(const tt::StepView& step) {
    if (const auto loss = step.value("loss")) sum += loss->number(0);
    if (++seen % 2 == 1) return {};
    return {{.value = sum, .message = "sum"}};
  }
};

std::vector<tt::Rule> rules() { return {Multiples{}, Sums{}, Multiples{.n = 7}}; }

std::set<std::int64_t> steps_of(const Findings& findings) {
  std::set<std::int64_t> out;
  for (const tt::Finding& finding : findings) out.insert(finding.step.global_step);
  return out;
}

/// A run that grows by one operation whenever a thread sleeps.
struct GrowingRun {
  std::shared_ptr<tt::MemoryStore> store = std::make_shared<tt::MemoryStore>();
  HandWriter first{store, 0};
  FakeTime time;
  std::function<bool()> next;

  GrowingRun() {
    first.put_attempt(-1);
    first.put_collections();
  }
  tt::Trial follow(const HandWriter::Operations& operations) {
    next = one_by_one(operations);
    time.while_asleep = [this] { next(); };
    auto options = time.following();
    options.poll_interval = 1s;
    return tt::Trial(store, options);
  }
};

}  // namespace

TEST_CASE("rules see all complete steps in order", "[rules][evaluate]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter writer(store);
  writer.put_collections();
  for (const std::int64_t step : {0, 1, 2, 3, 5}) writer.put(step);
  const tt::Trial trial(store);
  std::vector<std::int64_t> seen;
  const auto findings = tt::evaluate(trial, {[&](const tt::StepView& step) -> std::optional<tt::Finding> {
                                               seen.push_back(step.step().global_step);
                                               return std::nullopt;
                                             },
                                             Multiples{}});
  CHECK(seen == trial.steps());
  REQUIRE(findings.size() == 2);
  CHECK(findings[0] == tt::Finding{.rule = "Multiples", .tensor = "loss", .step = {tt::Mode::train, 0, 0}, .value = 0});
  CHECK(findings[1] == tt::Finding{.rule = "Multiples", .tensor = "loss", .step = {tt::Mode::train, 3, 3}, .value = 3});
  CHECK(tt::evaluate(trial, {}).empty());
}

TEST_CASE("incomplete steps are not judged", "[rules][evaluate]") {
  const tt::Trial trial((golden::directory() / "workers_running").string());
  std::size_t seen = 0;
  (void)tt::evaluate(trial, {[&](const tt::StepView&) -> std::optional<tt::Finding> {
                       ++seen;
                       return std::nullopt;
                     }});
  CHECK(seen == trial.steps().size());
  CHECK(seen < trial.steps(tt::Mode::global, tt::Completeness::any).size());
}

TEST_CASE("a later, a followed and an in-process evaluation agree", "[rules][evaluate]") {
  for (const std::string& name : golden::runs()) {
    CAPTURE(name);
    const tt::Trial trial((golden::directory() / name).string());
    const auto mean_above = [](double limit) {
      return tt::Rule("mean_above", [limit](const tt::StepView& step) {
        std::vector<tt::Finding> out;
        for (const std::string& tensor : step.tensors())
          if (const auto mean = step.reduction(tensor, tt::Reduction::abs_mean); mean && *mean > limit)
            out.push_back({.tensor = tensor, .value = *mean});
        return out;
      });
    };
    const std::vector<tt::Rule> some = {mean_above(0.5), Sums{}};
    const auto afterwards = tt::evaluate(trial, some);

    Findings in_process;
    const auto judge = tt::judge(some, [&](const tt::Finding& finding) { in_process.push_back(finding); });
    for (const std::int64_t step : trial.steps()) judge(*trial.view(step));
    CHECK(in_process == afterwards);

    // Feeds the index step by step. A timeout ends the evaluation of a run without an end.
    const auto files = golden::files_of(name);
    const auto store = std::make_shared<tt::MemoryStore>();
    HandWriter::Operations index;
    for (const auto& [key, content] : files)
      if (key.starts_with(tt::layout::index_prefix))
        index.push_back([&store, key = key, content = content] { store->put(key, content); });
      else if (key != tt::layout::end_marker)
        store->put(key, content);
    if (files.contains(std::string(tt::layout::end_marker)))
      index.push_back([&store] { store->put(tt::layout::end_marker, ""); });
    FakeTime time;
    auto options = time.following();
    options.poll_interval = 1s;
    options.end_delay = 0s;
    options.wait_for_run = 1min;
    const auto next = one_by_one(index);
    time.while_asleep = [&] { next(); };
    Findings acted;
    const auto followed =
        tt::evaluate(tt::Trial(store, options), some,
                     {.follow = true, .timeout = 1h, .on_finding = [&](const tt::Finding& f) { acted.push_back(f); }});
    CHECK(followed == afterwards);
    CHECK(acted == afterwards);
  }
}

TEST_CASE("actions are taken when the step of the finding appears", "[rules][evaluate]") {
  GrowingRun run;
  const auto trial = run.follow(run.first.saving(0, 4) + HandWriter::Operations{[&] { run.first.close(); }});
  std::vector<std::size_t> steps_then;
  const auto findings = tt::evaluate(
      trial, {Multiples{.n = 2}},
      {.follow = true, .on_finding = [&](const tt::Finding&) { steps_then.push_back(trial.steps().size()); }});
  CHECK(steps_of(findings) == std::set<std::int64_t>{0, 2, 4});
  CHECK(steps_then == std::vector<std::size_t>{1, 3, 5});
}

TEST_CASE("an evaluation that follows ends with the run, its timeout or a stop", "[rules][evaluate]") {
  GrowingRun run;
  run.first.put(0);
  SECTION("in time") {
    const auto trial = run.follow({});
    const auto begin = run.time.now();
    CHECK(tt::evaluate(trial, rules(), {.follow = true, .timeout = 90s}).size() == 2);
    CHECK(run.time.now() - begin == 90s);
  }
  SECTION("by its own stop") {
    tt::StopSignal stop;
    const auto trial = run.follow({[] {}, [stop]() mutable { stop.request(tt::StopReason::user); }, [] { FAIL(); }});
    CHECK(tt::evaluate(trial, rules(), {.follow = true, .stop = stop}).size() == 2);
  }
  SECTION("by the trial's") {
    const auto trial = run.follow({});
    auto stop = trial.options().stop;
    stop.request(tt::StopReason::user);
    CHECK(tt::evaluate(trial, rules(), {.follow = true}).size() == 2);
  }
  SECTION("by a rule's action") {
    tt::StopSignal stop;
    for (std::int64_t step = 1; step < 10; ++step) run.first.put(step);
    const auto trial = run.follow({});
    const auto findings = tt::evaluate(trial, {Multiples{.n = 100}, Multiples{.n = 5}},
                                       {.follow = true, .stop = stop, .on_finding = tt::StopTraining{stop}});
    CHECK(steps_of(findings) == std::set<std::int64_t>{0});  // all rules judge the step before the stop counts
    CHECK(findings.size() == 2);
  }
  SECTION("beyond its range") {
    auto options = run.time.following();
    options.range_steps = {0, 3};
    const auto next = one_by_one(run.first.saving(1, 10));
    run.time.while_asleep = [&] { REQUIRE(next()); };
    CHECK(steps_of(tt::evaluate(tt::Trial(run.store, options), {Multiples{.n = 1}}, {.follow = true})) ==
          std::set<std::int64_t>{0, 1, 2});
  }
}

TEST_CASE("an evaluation can follow a snapshot", "[rules][evaluate]") {
  GrowingRun run;
  const auto live = run.follow(run.first.saving(0, 3) + HandWriter::Operations{[&] { run.first.close(); }});
  auto options = live.options();
  options.follow = false;
  const tt::Trial snapshot(run.store, options);
  CHECK(tt::evaluate(snapshot, {Multiples{.n = 1}}).empty());
  CHECK(tt::evaluate(snapshot, {Multiples{.n = 1}}, {.follow = true}).size() == 4);
}

TEST_CASE("findings in superseded steps are withdrawn, and actions are not repeated for the remaining steps",
          "[rules][evaluate]") {
  GrowingRun run;
  const HandWriter second(run.store, 1);
  const auto trial = run.follow(run.first.saving(0, 6) + second.resuming(3, 6, tt::OnResume::archive) +
                                second.saving(4, 8) + HandWriter::Operations{[&] { second.close(); }});
  Findings acted;
  std::vector<tt::Rewind> rewinds;
  const auto findings = tt::evaluate(trial, {Multiples{.n = 2}, Sums{}},
                                     {.follow = true,
                                      .on_finding = [&](const tt::Finding& finding) { acted.push_back(finding); },
                                      .on_rewind = [&](const tt::Rewind& rewind) { rewinds.push_back(rewind); }});
  CHECK(findings == tt::evaluate(tt::Trial(run.store), {Multiples{.n = 2}, Sums{}}));
  REQUIRE(rewinds.size() == 1);
  CHECK(rewinds[0].attempt == 1);
  CHECK(rewinds[0].steps == std::vector<std::int64_t>{4, 5, 6});
  // Once each, and once more for findings in the steps of the second attempt.
  for (const tt::Finding& finding : findings)
    if (finding.step.global_step <= 3) CHECK(std::count(acted.begin(), acted.end(), finding) == 1);
  const auto at = [&](std::int64_t step) {
    return std::count_if(acted.begin(), acted.end(),
                         [&](const tt::Finding& f) { return f.rule == "Multiples" && f.step.global_step == step; });
  };
  CHECK(at(0) == 1);
  CHECK(at(2) == 1);
  CHECK(at(4) == 2);
  CHECK(at(8) == 1);
}

TEST_CASE("a followed run with any interruptions ends with the findings of its last state", "[rules][evaluate]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(n));
    };
    GrowingRun run;
    HandWriter::Operations operations;
    std::int64_t last = -1;
    std::int64_t resumed_at = -1;
    for (std::int64_t attempt = 0; attempt < 4; ++attempt) {
      const HandWriter writer(run.store, attempt);
      if (attempt > 0) operations = operations + writer.resuming(resumed_at, last, tt::OnResume::archive);
      const std::int64_t to = resumed_at + 1 + below(8);
      operations = operations + writer.saving(resumed_at + 1, to);
      last = std::max(last, to);
      resumed_at = below(to + 2) - 1;
      if (attempt == 3) operations.push_back([writer] { writer.close(); });
    }
    auto next = one_by_one(operations);
    run.time.while_asleep = [&] {
      for (std::int64_t n = below(5); n > 0; --n) next();
    };
    auto options = run.time.following();
    options.poll_interval = 1s;
    const auto followed = tt::evaluate(tt::Trial(run.store, options), rules(), {.follow = true, .timeout = 1h});
    CHECK(followed == tt::evaluate(tt::Trial(run.store), rules()));
    CHECK_FALSE(followed.empty());
  }
}

TEST_CASE("a rule that throws is reported, and the others continue", "[rules][evaluate]") {
  GrowingRun run;
  for (std::int64_t step = 0; step < 5; ++step) run.first.put(step);
  run.first.close();
  const auto broken = [](const tt::StepView& step) -> std::optional<tt::Finding> {
    if (step.step().global_step == 2) throw std::runtime_error("cannot\ngo on");
    return std::nullopt;
  };
  int acts = 0;
  const auto findings = tt::evaluate(tt::Trial(run.store), {tt::Rule("broken", broken), Multiples{.n = 1}},
                                     {.on_finding = [&](const tt::Finding&) { ++acts; }});
  CHECK(findings.size() == 6);
  CHECK(acts == 5);
  const auto failed = std::find_if(findings.begin(), findings.end(), [](const tt::Finding& f) { return f.failed; });
  REQUIRE(failed != findings.end());
  CHECK(failed->rule == "broken");
  CHECK(failed->step.global_step == 2);
  CHECK(failed->message == "cannot\ngo on");

  const auto strange =
      tt::evaluate(tt::Trial(run.store), {[](const tt::StepView&) -> std::optional<tt::Finding> { throw 5; }});
  REQUIRE(strange.size() == 1);
  CHECK(strange[0].failed);
}

TEST_CASE("a rule that failed starts again after a rewind", "[rules][evaluate]") {
  GrowingRun run;
  const HandWriter second(run.store, 1);
  const auto trial = run.follow(run.first.saving(0, 3) + second.resuming(1, 3, tt::OnResume::archive) +
                                second.saving(2, 3) + HandWriter::Operations{[&] { second.close(); }});
  const auto findings = tt::evaluate(trial, {[](const tt::StepView& step) -> std::optional<tt::Finding> {
                                       if (step.value("loss")->number(0) == 2) throw std::runtime_error("two");
                                       return tt::Finding{.value = step.value("loss")->number(0)};
                                     }},
                                     {.follow = true});
  REQUIRE(findings.size() == 4);
  CHECK(std::none_of(findings.begin(), findings.end(), [](const tt::Finding& f) { return f.failed; }));
  CHECK(findings[2].value == HandWriter::loss_of(1, 2));
}

TEST_CASE("an action that throws is reported, and the evaluation continues", "[rules][evaluate]") {
  GrowingRun run;
  for (std::int64_t step = 0; step < 3; ++step) run.first.put(step);
  const auto findings = tt::evaluate(tt::Trial(run.store), {Multiples{.n = 1}},
                                     {.on_finding = [](const tt::Finding&) { throw std::runtime_error("no paper"); }});
  REQUIRE(findings.size() == 6);
  CHECK_FALSE(findings[0].failed);
  CHECK(findings[1].failed);
  CHECK(findings[1].rule == "Multiples");
  CHECK(findings[1].message == "action: no paper");
  CHECK(findings[5].failed);
}

TEST_CASE("a run is evaluated while a thread writes it", "[rules][evaluate][threads]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  HandWriter(store, 0).put_collections();
  std::thread writer([&] {
    HandWriter::Operations all = HandWriter(store, 0).saving(0, 79);
    const HandWriter second(store, 1);
    all = all + second.resuming(40, 79, tt::OnResume::archive) + second.saving(41, 120);
    for (const auto& operation : all) operation();
    second.close();
  });
  const tt::Trial trial(store, {.follow = true, .refresh_interval = 0s, .poll_interval = 1ms});
  const auto followed = tt::evaluate(trial, rules(), {.follow = true, .timeout = 10min});
  writer.join();
  CHECK(followed == tt::evaluate(tt::Trial(store), rules()));
  CHECK_FALSE(followed.empty());
}
