// The same rules find the same in the same steps: later, while a run is followed through its interruptions, and inside
// the training process.
#include <tensortap/rules/builtin/vanishing_gradient.hpp>
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

/// A rule with state: at every second step it reports the sum of all losses, each time as another finding.
struct Sums {
  static constexpr const char* name = "Sums";
  int seen = 0;
  double sum = 0;
  std::vector<tt::Finding> operator()(const tt::StepView& step) {
    if (const auto loss = step.value("loss")) sum += loss->number(0);
    if (++seen % 2 == 1) return {};
    return {{.severity = tt::Severity::advice, .tensor = "until " + std::to_string(seen), .value = sum}};
  }
  void exchange(tt::RuleState& state) { state(seen)(sum); }
};

std::vector<tt::Rule> rules() { return {Multiples{}, Sums{}, tt::Rule("sevenths", Multiples{.n = 7})}; }

/// Finds every loss, each as another finding.
std::vector<tt::Finding> each_loss(const tt::StepView& step) {
  const auto loss = step.value("loss");
  if (!loss) return {};
  return {{.tensor = "loss of " + std::to_string(step.step().global_step), .value = loss->number(0)}};
}

std::set<std::int64_t> steps_of(const tt::Verdict& verdict) {
  std::set<std::int64_t> out;
  for (const tt::Finding& finding : verdict.findings) out.insert(finding.step.global_step);
  return out;
}

/// Returns the findings as they are written for other programs.
std::string json_of(const Findings& findings) {
  std::string out;
  for (const tt::Finding& finding : findings) out += to_json(finding) + "\n";
  return out;
}

/// Returns the findings in the order of a verdict; they appear in the order of the rules.
Findings in_order(Findings findings) {
  std::sort(findings.begin(), findings.end(), tt::comes_before);
  return findings;
}

/// Returns the findings as they were when they appeared.
Findings first_forms(Findings findings) {
  for (tt::Finding& finding : findings) {
    finding.count = 1;
    finding.last_step = finding.step.global_step;
  }
  return findings;
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
  const auto verdict = tt::evaluate(trial, {[&](const tt::StepView& step) -> std::optional<tt::Finding> {
                                              seen.push_back(step.step().global_step);
                                              return std::nullopt;
                                            },
                                            Multiples{}});
  CHECK(seen == trial.steps());
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0] == tt::Finding{.rule = "Multiples",
                                           .tensor = "loss",
                                           .worker = "worker_0",
                                           .step = {tt::Mode::train, 0, 0},
                                           .value = 0,
                                           .last_step = 3,
                                           .count = 2});
  CHECK(tt::evaluate(trial, {}) == tt::Verdict{});
}

TEST_CASE("findings are united by rule, severity, tensor and worker", "[rules][evaluate]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter writer(store);
  writer.put_collections();
  for (std::int64_t step = 0; step < 10; ++step) writer.put(step);
  const auto rule = [](const tt::StepView& step) {
    const std::int64_t n = step.step().global_step;
    std::vector<tt::Finding> out;
    if (n >= 2) out.push_back({.tensor = "a", .value = static_cast<double>(n), .threshold = 1, .message = "first"});
    if (n >= 2) out.push_back({.tensor = "a", .value = -1});  // twice in a step is once
    if (n == 3 || n == 8) out.push_back({.tensor = "b", .value = static_cast<double>(n)});
    if (n == 4) out.push_back({.severity = tt::Severity::advice, .tensor = "a", .value = 4});
    return out;
  };
  const auto verdict = tt::evaluate(tt::Trial(store), {tt::Rule("r", rule), tt::Rule("s", rule)});
  REQUIRE(verdict.findings.size() == 6);
  const auto is = [&](std::size_t at, const std::string& name, std::int64_t first, std::int64_t last,
                      std::int64_t count) {
    const tt::Finding& finding = verdict.findings[at];
    CHECK(finding.rule == name);
    CHECK(finding.step == tt::Step{tt::Mode::train, first, first});
    CHECK(finding.last_step == last);
    CHECK(finding.count == count);
    CHECK(finding.value == static_cast<double>(first));
  };
  is(0, "r", 2, 9, 8);
  is(1, "s", 2, 9, 8);
  is(2, "r", 3, 8, 2);
  is(3, "s", 3, 8, 2);
  is(4, "r", 4, 4, 1);
  is(5, "s", 4, 4, 1);
  CHECK(verdict.findings[0].message == "first");
  CHECK(verdict.findings[0].threshold == 1);
  CHECK(verdict.findings[4].severity == tt::Severity::advice);
}

TEST_CASE("each step can keep its finding", "[rules][evaluate]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter writer(store);
  writer.put_collections();
  for (std::int64_t step = 0; step < 7; ++step) writer.put(step);
  const auto verdict = tt::evaluate(tt::Trial(store), {Multiples{}}, {.each_step = true});
  REQUIRE(verdict.findings.size() == 3);
  CHECK(steps_of(verdict) == std::set<std::int64_t>{0, 3, 6});
  for (const tt::Finding& finding : verdict.findings) {
    CHECK(finding.count == 1);
    CHECK(finding.value == static_cast<double>(finding.last_step));
  }
}

TEST_CASE("incomplete steps are not judged", "[rules][evaluate]") {
  const tt::Trial trial((golden::directory() / "workers_running").string());
  std::set<std::int64_t> seen;
  (void)tt::evaluate(trial, {[&](const tt::StepView& step) -> std::optional<tt::Finding> {
                       seen.insert(step.step().global_step);
                       return std::nullopt;
                     }});
  CHECK(seen.size() == trial.steps().size());
  CHECK(seen.size() < trial.steps(tt::Mode::global, tt::Completeness::any).size());
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
    const std::vector<tt::Rule> some = {mean_above(0.5), Sums{}, tt::VanishingGradient{.threshold = 1e9}};
    const tt::Verdict afterwards = tt::evaluate(trial, some);

    const std::vector<std::string> workers = trial.workers();
    if (workers.size() == 1) {
      Findings acted_on;
      const tt::Judge judge(
          some, [&](const tt::Finding& finding) { acted_on.push_back(finding); }, workers[0]);
      for (const std::int64_t step : trial.steps()) judge(*trial.view(step));
      CHECK(json_of(judge.verdict().findings) == json_of(afterwards.findings));
      CHECK(in_order(acted_on) == first_forms(afterwards.findings));
    }

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
    CHECK(json_of(followed.findings) == json_of(afterwards.findings));
    CHECK(json_of(in_order(acted)) == json_of(first_forms(afterwards.findings)));
  }
}

TEST_CASE("actions are taken when the step of the finding appears", "[rules][evaluate]") {
  GrowingRun run;
  const auto trial = run.follow(run.first.saving(0, 4) + HandWriter::Operations{[&] { run.first.close(); }});
  std::vector<std::size_t> steps_then;
  const auto verdict = tt::evaluate(
      trial, {Multiples{.n = 2}, tt::Rule("each", each_loss)},
      {.follow = true, .on_finding = [&](const tt::Finding&) { steps_then.push_back(trial.steps().size()); }});
  CHECK(steps_of(verdict) == std::set<std::int64_t>{0, 1, 2, 3, 4});
  CHECK(steps_then == std::vector<std::size_t>{1, 1, 2, 3, 4, 5});  // the first multiple of two, and each loss
}

TEST_CASE("an evaluation that follows ends with the run, its timeout or a stop", "[rules][evaluate]") {
  GrowingRun run;
  run.first.put(0);
  SECTION("in time") {
    const auto trial = run.follow({});
    const auto begin = run.time.now();
    CHECK(tt::evaluate(trial, rules(), {.follow = true, .timeout = 90s}).findings.size() == 2);
    CHECK(run.time.now() - begin == 90s);
  }
  SECTION("by its own stop") {
    tt::StopSignal stop;
    const auto trial = run.follow({[] {}, [stop]() mutable { stop.request(tt::StopReason::user); }, [] { FAIL(); }});
    CHECK(tt::evaluate(trial, rules(), {.follow = true, .stop = stop}).findings.size() == 2);
  }
  SECTION("by the trial's") {
    const auto trial = run.follow({});
    auto stop = trial.options().stop;
    stop.request(tt::StopReason::user);
    CHECK(tt::evaluate(trial, rules(), {.follow = true}).findings.size() == 2);
  }
  SECTION("by a rule's action") {
    tt::StopSignal stop;
    for (std::int64_t step = 1; step < 10; ++step) run.first.put(step);
    const auto trial = run.follow({});
    const auto verdict = tt::evaluate(trial, {tt::Rule("a", each_loss), tt::Rule("b", each_loss)},
                                      {.follow = true, .stop = stop, .on_finding = tt::StopTraining{stop}});
    CHECK(steps_of(verdict) == std::set<std::int64_t>{0});  // all rules judge the step before the stop counts
    CHECK(verdict.findings.size() == 2);
  }
  SECTION("beyond its range") {
    auto options = run.time.following();
    options.range_steps = {0, 3};
    const auto next = one_by_one(run.first.saving(1, 10));
    run.time.while_asleep = [&] { REQUIRE(next()); };
    CHECK(steps_of(tt::evaluate(tt::Trial(run.store, options), {tt::Rule("each", each_loss)}, {.follow = true})) ==
          std::set<std::int64_t>{0, 1, 2});
  }
}

TEST_CASE("an evaluation can follow a snapshot", "[rules][evaluate]") {
  GrowingRun run;
  const auto live = run.follow(run.first.saving(0, 3) + HandWriter::Operations{[&] { run.first.close(); }});
  auto options = live.options();
  options.follow = false;
  const tt::Trial snapshot(run.store, options);
  CHECK(tt::evaluate(snapshot, {tt::Rule("each", each_loss)}).findings.empty());
  CHECK(tt::evaluate(snapshot, {tt::Rule("each", each_loss)}, {.follow = true}).findings.size() == 4);
}

TEST_CASE("findings in superseded steps are withdrawn, and actions are not repeated for the remaining steps",
          "[rules][evaluate]") {
  GrowingRun run;
  const HandWriter second(run.store, 1);
  const auto trial = run.follow(run.first.saving(0, 6) + second.resuming(3, 6, tt::OnResume::archive) +
                                second.saving(4, 8) + HandWriter::Operations{[&] { second.close(); }});
  Findings acted;
  std::vector<tt::Rewind> rewinds;
  const std::vector<tt::Rule> some = {Multiples{.n = 2}, Sums{}, tt::Rule("each", each_loss)};
  const auto verdict = tt::evaluate(trial, some,
                                    {.follow = true,
                                     .on_finding = [&](const tt::Finding& finding) { acted.push_back(finding); },
                                     .on_rewind = [&](const tt::Rewind& rewind) { rewinds.push_back(rewind); }});
  CHECK(verdict == tt::evaluate(tt::Trial(run.store), some));
  REQUIRE(rewinds.size() == 1);
  CHECK(rewinds[0].attempt == 1);
  CHECK(rewinds[0].steps == std::vector<std::int64_t>{4, 5, 6});
  // Once each, and once more for findings in the steps of the second attempt.
  const Findings final_findings = first_forms(verdict.findings);
  for (const tt::Finding& finding : final_findings)
    if (finding.step.global_step <= 3) CHECK(std::count(acted.begin(), acted.end(), finding) == 1);
  const auto at = [&](std::int64_t step) {
    return std::count_if(acted.begin(), acted.end(),
                         [&](const tt::Finding& f) { return f.rule == "each" && f.step.global_step == step; });
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
    CHECK_FALSE(followed.findings.empty());
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
  const auto verdict = tt::evaluate(tt::Trial(run.store), {tt::Rule("broken", broken), tt::Rule("each", each_loss)},
                                    {.on_finding = [&](const tt::Finding&) { ++acts; }});
  const Findings& findings = verdict.findings;
  CHECK(findings.size() == 6);
  CHECK(acts == 5);
  const auto failed = std::find_if(findings.begin(), findings.end(), [](const tt::Finding& f) { return f.failed; });
  REQUIRE(failed != findings.end());
  CHECK(failed->rule == "broken");
  CHECK(failed->step.global_step == 2);
  CHECK(failed->last_step == 2);
  CHECK(failed->worker == "worker_0");
  CHECK(failed->message == "cannot\ngo on");
  REQUIRE(verdict.rules.size() == 2);
  CHECK(verdict.rules[0].status == tt::RuleStatus::error);
  CHECK(verdict.rules[0].reason == "cannot\ngo on");
  CHECK(verdict.rules[1].status == tt::RuleStatus::issues_found);

  const auto strange =
      tt::evaluate(tt::Trial(run.store), {[](const tt::StepView&) -> std::optional<tt::Finding> { throw 5; }});
  REQUIRE(strange.findings.size() == 1);
  CHECK(strange.findings[0].failed);
}

TEST_CASE("a rule that failed starts again after a rewind", "[rules][evaluate]") {
  GrowingRun run;
  const HandWriter second(run.store, 1);
  const auto trial = run.follow(run.first.saving(0, 3) + second.resuming(1, 3, tt::OnResume::archive) +
                                second.saving(2, 3) + HandWriter::Operations{[&] { second.close(); }});
  const auto rule = [](const tt::StepView& step) -> std::vector<tt::Finding> {
    if (step.value("loss")->number(0) == 2) throw std::runtime_error("two");
    return each_loss(step);
  };
  const Findings findings = tt::evaluate(trial, {rule}, {.follow = true}).findings;
  REQUIRE(findings.size() == 4);
  CHECK(std::none_of(findings.begin(), findings.end(), [](const tt::Finding& f) { return f.failed; }));
  CHECK(findings[2].value == HandWriter::loss_of(1, 2));
}

TEST_CASE("an action that throws is reported, and the evaluation continues", "[rules][evaluate]") {
  GrowingRun run;
  for (std::int64_t step = 0; step < 3; ++step) run.first.put(step);
  const Findings findings =
      tt::evaluate(tt::Trial(run.store), {tt::Rule("each", each_loss)},
                   {.on_finding = [](const tt::Finding&) { throw std::runtime_error("no paper"); }})
          .findings;
  REQUIRE(findings.size() == 6);
  CHECK_FALSE(findings[0].failed);
  CHECK(findings[1].failed);
  CHECK(findings[1].rule == "each");
  CHECK(findings[1].message == "action: no paper");
  CHECK(findings[5].failed);
}

TEST_CASE("the rules judge each worker by itself, and findings name the worker", "[rules][evaluate]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const std::vector<std::string> names = {"rank_0", "rank_1", "rank_10"};
  const auto write = [&](std::int64_t step, std::size_t rank, double loss) {
    HandWriter(store, 0, names[rank]).put({tt::Mode::train, step, step}, {{"loss", tensor_of({loss})}});
  };
  for (const std::string& name : names) {
    const HandWriter writer(store, 0, name);
    writer.put_attempt(-1);
    writer.put_collections(3);
  }
  for (std::int64_t step = 0; step < 6; ++step)
    for (std::size_t rank = 0; rank < names.size(); ++rank)
      write(step, rank, rank == 0 ? 1 : rank == 1 ? static_cast<double>(step % 3) : static_cast<double>(step));
  for (const std::string& name : names) HandWriter(store, 0, name).close();
  const tt::Verdict verdict = tt::evaluate(tt::Trial(store), {Multiples{.n = 3}, Sums{}});
  const auto lines = [&](const char* rule) {
    std::vector<std::string> out;
    for (const tt::Finding& f : verdict.findings)
      if (f.rule == rule)
        out.push_back(std::to_string(f.step.global_step) + " " + f.worker + " " + std::to_string(f.count) + " " +
                      tt::shortest(f.value));
    return out;
  };
  CHECK(lines("Multiples") == std::vector<std::string>{"0 rank_1 2 0", "0 rank_10 2 0"});
  CHECK(lines("Sums") == std::vector<std::string>{"1 rank_0 1 2", "1 rank_1 1 1", "1 rank_10 1 1", "3 rank_0 1 4",
                                                  "3 rank_1 1 3", "3 rank_10 1 6", "5 rank_0 1 6", "5 rank_1 1 6",
                                                  "5 rank_10 1 15"});
  for (std::size_t i = 1; i < verdict.findings.size(); ++i)
    CHECK(verdict.findings[i - 1].step.global_step <= verdict.findings[i].step.global_step);
  CHECK(verdict.rules[0].tensors == 3);  // one of each worker
  CHECK(verdict.rules[0].steps == 6);
}

TEST_CASE("each rule has a status", "[rules][evaluate]") {
  GrowingRun run;
  for (std::int64_t step = 0; step < 3; ++step) run.first.put(step);
  const std::vector<tt::Rule> some = {
      Multiples{.n = 2}, Multiples{.n = 100}, tt::VanishingGradient{},
      tt::Rule("blind", [](const tt::StepView&) { return Findings(); }),
      tt::Rule("broken", [](const tt::StepView&) -> Findings { throw std::runtime_error("no"); })};
  const auto statuses = [](const tt::Verdict& verdict) {
    std::vector<std::string> out;
    for (const tt::RuleResult& rule : verdict.rules) out.emplace_back(to_string(rule.status));
    return out;
  };
  using List = std::vector<std::string>;
  // A later step may bring what the third rule needs.
  CHECK(statuses(tt::evaluate(tt::Trial(run.store), some)) ==
        List{"IssuesFound", "IssuesFound", "InProgress", "InProgress", "Error"});
  tt::StopSignal stop;
  stop.request(tt::StopReason::user);
  CHECK(statuses(tt::evaluate(tt::Trial(run.store), {Multiples{}}, {.stop = stop})) == List{"Error"});
  run.first.close();
  const tt::Verdict verdict = tt::evaluate(tt::Trial(run.store), some);
  CHECK(statuses(verdict) == List{"IssuesFound", "IssuesFound", "Error", "Error", "Error"});
  CHECK(verdict.rules[2].reason == "it could judge nothing; it needs " + std::string(tt::VanishingGradient::needs));
  CHECK(verdict.rules[2].tensors == 0);
  CHECK(verdict.rules[3].reason == "it could judge nothing");
  CHECK(verdict.rules[4].reason == "no");
  const tt::Verdict healthy = tt::evaluate(tt::Trial(run.store), {tt::Rule("sees", [](const tt::StepView& step) {
                                             (void)step.value("loss");
                                             return Findings();
                                           })});
  CHECK(statuses(healthy) == List{"NoIssuesFound"});
  CHECK(healthy.rules[0].tensors == 1);
  CHECK(healthy.rules[0].steps == 3);
  CHECK(healthy.rules[0].reason.empty());
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
  CHECK_FALSE(followed.findings.empty());
}
