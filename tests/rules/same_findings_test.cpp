// The findings of a run are the same bytes of JSON however it is judged: in the training processes, beside them while
// they write, afterwards, after interruptions, and by any number of processes that share the work.
#include <tensortap/tensortap.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

/// What is wrong with a training.
enum class Ill : std::uint8_t { has_nan, learns_late, vanishes, diverges };

struct Course {
  Ill ill = Ill::has_nan;
  std::int64_t workers = 1;
  std::vector<std::int64_t> killed_at = {};  // TRAIN steps before which all processes are killed, once each
  bool statistics = false;                   // saves what the rules ask for, else all elements
};

constexpr std::int64_t course_steps = 220;

/// Numbers that depend on the arguments alone.
std::vector<float> drawn(std::size_t n, double scale, std::uint32_t seed, std::int64_t step) {
  std::mt19937 random(seed * 7919U + static_cast<std::uint32_t>(step));
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(scale * (static_cast<double>(random() % 2001) / 1000 - 1));
  return out;
}

/// One process of a training that has the same weights in all.
class Process {
 public:
  Process(const Course& course, std::int64_t rank, std::shared_ptr<tt::Store> run, std::shared_ptr<tt::Store> own)
      : course_(course),
        rank_(rank),
        own_(std::move(own)),
        judge_(tt::all_rules(), {}, name()),
        hook_(std::move(run), options()) {}

  [[nodiscard]] std::int64_t next_step() const { return hook_.next_step(); }
  [[nodiscard]] tt::Verdict verdict() const { return judge_.verdict(); }

  /// Trains and saves a step, and after some steps evaluates and commits.
  void train() {
    const std::int64_t step = hook_.next_step();
    hook_.begin_step();
    save(step, 1);
    if (step % 20 == 19) {
      hook_.begin_step(tt::Mode::eval);
      save(step, 2);
    }
    if (step % 40 == 39) {
      const std::string checkpoint = "model-" + std::to_string(step);
      own_->put(checkpoint, "weights");
      hook_.commit(checkpoint);
    }
    hook_.flush();
  }
  void close() { hook_.close(); }

 private:
  [[nodiscard]] std::string name() const { return "worker_" + std::to_string(rank_); }

  [[nodiscard]] tt::HookOptions options() const {
    tt::HookOptions out;
    out.collections = {{.name = "all"}};
    if (course_.statistics) {
      out.collections = tt::required_by(tt::all_rules());
      for (tt::Collection& one : out.collections) one.save = tt::every(1);
    }
    out.save = tt::every(1);
    out.worker = name();
    out.num_workers = course_.workers;
    out.checkpoints = own_;
    out.run_id = "run";
    out.on_step = judge_;
    return out;
  }

  void save(std::int64_t step, std::uint32_t seed) {
    const auto noise = static_cast<std::uint32_t>(rank_ + 10 * seed);
    const bool is_bad = course_.ill == Ill::has_nan && step >= 33 + rank_;
    double loss = 1.1;  // of three classes
    if (course_.ill != Ill::learns_late) loss = 1.1 * std::exp(-static_cast<double>(step) / 40) + 0.05;
    if (course_.ill == Ill::learns_late && step > 120)
      loss = 1.1 * std::exp(-static_cast<double>(step - 120) / 15) + 0.02;
    loss *= 1 + 0.05 * static_cast<double>(drawn(1, 1, noise + 1, step)[0]);
    hook_.save("CrossEntropyLoss_output_0", is_bad ? std::numeric_limits<double>::quiet_NaN() : loss);
    std::uint32_t layer = 0;
    for (const std::string weight : {"fc1.weight", "fc2.weight", "fc10.weight"}) {
      ++layer;
      const bool is_first = layer == 1 && course_.ill == Ill::vanishes;
      auto values = drawn(12, 0.5, 100 + layer, 0);
      const auto moves = drawn(12, is_first ? 0 : 0.01, 200 + layer, step);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += moves[i];
      if (course_.ill == Ill::diverges && layer == 2 && rank_ == 1 && step >= 100) values[3] += 0.001F;
      if (is_bad && layer == 3) values[5] = std::numeric_limits<float>::infinity();
      hook_.save(weight, values);
      hook_.save("gradient/" + weight, drawn(12, is_first ? 1e-9 : 0.1, noise + 20 + layer, step));
    }
    auto active = drawn(24, 1, noise + 30, step);
    for (float& x : active) x = std::max(x, 0.0F);
    if (course_.ill == Ill::vanishes) std::fill(active.begin(), active.end(), 0.0F);
    hook_.save("relu1_relu_output_0", active);
    std::vector<std::int64_t> labels(16);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 3);
    hook_.save("labels", labels);
  }

  const Course course_;
  const std::int64_t rank_;
  std::shared_ptr<tt::Store> own_;
  tt::Judge judge_;
  tt::Hook hook_;
};

/// All processes of a training. A machine that is taken away loses what it has not committed.
class Processes {
 public:
  explicit Processes(Course course) : course_(std::move(course)) {
    for (std::int64_t rank = 0; rank < course_.workers; ++rank)
      checkpoints_.push_back(std::make_shared<tt::MemoryStore>());
    start();
  }

  /// Does the next step. Returns false when the training has ended.
  bool next() {
    if (processes_.empty()) return false;
    const std::int64_t step = processes_.front()->next_step();
    if (!course_.killed_at.empty() && step == course_.killed_at.front()) {
      course_.killed_at.erase(course_.killed_at.begin());
      processes_.clear();
      start();
      return true;
    }
    if (step < course_steps) {
      for (const auto& process : processes_) process->train();
      return true;
    }
    for (const auto& process : processes_) process->close();
    for (const auto& process : processes_) {
      const tt::Verdict one = process->verdict();
      findings_.insert(findings_.end(), one.findings.begin(), one.findings.end());
    }
    std::sort(findings_.begin(), findings_.end(), tt::comes_before);
    processes_.clear();
    return false;
  }

  /// What the judges of all processes have found.
  [[nodiscard]] const std::vector<tt::Finding>& findings() const { return findings_; }

  const std::shared_ptr<tt::MemoryStore> run = std::make_shared<tt::MemoryStore>();

 private:
  void start() {
    for (std::size_t rank = 0; rank < checkpoints_.size(); ++rank)
      processes_.push_back(
          std::make_unique<Process>(course_, static_cast<std::int64_t>(rank), run, checkpoints_[rank]));
  }

  Course course_;
  std::vector<std::shared_ptr<tt::MemoryStore>> checkpoints_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<tt::Finding> findings_;
};

std::string lines_of(const std::vector<tt::Finding>& findings) {
  std::string out;
  for (const tt::Finding& finding : findings) out += to_json(finding) + "\n";
  return out;
}

std::string lines_of(const std::vector<tt::Finding>& findings, bool of_several_workers) {
  auto some = findings;
  std::erase_if(some, [&](const tt::Finding& one) { return (one.rule == "RankDivergence") != of_several_workers; });
  return lines_of(some);
}

/// Returns what the shards have found together, in any order. Each rule must be in a verdict.
std::vector<tt::Finding> found_by_shards(const tt::Trial& trial, std::int64_t count) {
  std::vector<tt::Finding> out;
  std::set<std::string> rules;
  for (std::int64_t i = count; i-- > 0;) {
    const auto verdict = tt::evaluate(trial, tt::all_rules(), {.shard = {i, count}});
    out.insert(out.begin(), verdict.findings.begin(), verdict.findings.end());
    for (const tt::RuleResult& rule : verdict.rules) rules.insert(rule.rule);
  }
  CHECK(rules.size() == tt::all_rules().size());
  return out;
}

}  // namespace

TEST_CASE("a run has the same findings however it is judged", "[rules][same_findings]") {
  const auto course = GENERATE(Course{.ill = Ill::has_nan, .workers = 3}, Course{.ill = Ill::learns_late},
                               Course{.ill = Ill::vanishes, .workers = 2, .statistics = true},
                               Course{.ill = Ill::diverges, .workers = 3});
  CAPTURE(static_cast<int>(course.ill), course.workers);

  // Live, through two interruptions: each sleep of the reader is a step of the training.
  auto interrupted = course;
  interrupted.killed_at = {70, 150};
  Processes alive(interrupted);
  FakeTime time;
  time.while_asleep = [&] { alive.next(); };
  auto following = time.following();
  following.poll_interval = 1s;
  following.end_delay = 0s;
  const auto live = tt::evaluate(tt::Trial(alive.run, following), tt::all_rules(), {.follow = true, .timeout = 24h});
  const std::string expected = lines_of(live.findings);
  REQUIRE_FALSE(expected.empty());
  CHECK(std::is_sorted(live.findings.begin(), live.findings.end(), tt::comes_before));
  if (course.ill == Ill::has_nan) CHECK_THAT(expected, contains("ExplodingTensor"));
  if (course.ill == Ill::learns_late) CHECK_THAT(expected, contains("; the loss has fallen since, by step "));
  if (course.ill == Ill::vanishes) CHECK_THAT(expected, contains("VanishingGradient"));
  if (course.ill == Ill::diverges) CHECK_THAT(lines_of(live.findings, true), contains("\"worker\": \"worker_1\""));

  // In the processes that were started again.
  CHECK(lines_of(alive.findings()) == lines_of(live.findings, false));

  // In processes that nothing interrupts, and afterwards.
  Processes whole(course);
  while (whole.next()) {
  }
  CHECK(lines_of(whole.findings()) == lines_of(live.findings, false));
  for (const auto& store : {alive.run, whole.run}) {
    const tt::Trial trial(store);
    CHECK(trial.finished());
    CHECK(lines_of(tt::evaluate(trial, tt::all_rules()).findings) == expected);
  }

  // By processes that share the work. What they print is put in order again.
  const tt::Trial trial(alive.run);
  for (const std::int64_t count : {1, 2, 3, 7}) {
    CAPTURE(count);
    auto found = found_by_shards(trial, count);
    std::sort(found.begin(), found.end(), tt::comes_before);
    CHECK(lines_of(found) == expected);
  }
}

TEST_CASE("shards follow a run that is resumed with other workers", "[rules][same_findings]") {
  const auto finds_all = [](const tt::StepView& step) -> std::optional<tt::Finding> {
    return tt::Finding{.tensor = "loss", .value = step.value("loss")->number(0)};
  };
  const std::vector<tt::Rule> rules = {tt::Rule("a", finds_all), tt::Rule("b", finds_all), tt::Rule("c", finds_all)};
  std::vector<tt::Finding> found;
  for (const std::int64_t i : {0, 1}) {
    const auto own = std::make_shared<tt::MemoryStore>();
    const HandWriter one(own, 0);
    const HandWriter other(own, 0, "worker_1");
    one.put_attempt(-1);
    one.put_collections(1);
    HandWriter::Operations operations = one.saving(0, 2);
    operations.push_back([&] { one.put_collections(2), other.put_attempt(-1), other.put_collections(2); });
    operations = operations + one.saving(3, 4) + other.saving(3, 4);
    operations.push_back([&] { one.close(); });
    const auto next = one_by_one(operations);
    FakeTime time;
    time.while_asleep = [&] { next(); };
    auto options = time.following();
    options.poll_interval = 1s;
    options.end_delay = 0s;
    const tt::Trial trial(own, options);
    const auto verdict = tt::evaluate(trial, rules, {.follow = true, .shard = {i, 2}, .timeout = 1h});
    found.insert(found.end(), verdict.findings.begin(), verdict.findings.end());
    if (i == 1) {
      std::sort(found.begin(), found.end(), tt::comes_before);
      CHECK(lines_of(found) == lines_of(tt::evaluate(tt::Trial(own), rules).findings));
      CHECK(found.size() == 6);
    }
  }
}

TEST_CASE("a shard that does not exist is refused", "[rules][same_findings]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  HandWriter(store).put(0);
  const tt::Trial trial(store);
  for (const tt::Shard shard : {tt::Shard{3, 3}, tt::Shard{-1, 3}, tt::Shard{0, 0}, tt::Shard{0, -1}})
    CHECK_THROWS_WITH((void)tt::evaluate(trial, {}, {.shard = shard}), contains("there is no such shard"));
  CHECK(tt::evaluate(trial, tt::all_rules(), {.shard = {99, 100}}) == tt::Verdict{});  // more shards than rules
}
