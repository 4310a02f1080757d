// Rules on runs that are large, damaged, incomplete, or full of strange names.
#include <tensortap/tensortap.hpp>

#include <sys/resource.h>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;

namespace {

std::string json_lines(const std::vector<tt::Finding>& findings) {
  std::string out;
  for (const tt::Finding& finding : findings) out += to_json(finding) + "\n";
  return out;
}

tt::HookOptions saving_all(const tt::Judge& judge) {
  tt::HookOptions out;
  out.collections = {{.name = "all"}};
  out.save = tt::every(1);
  out.on_step = judge;
  return out;
}

/// Trains a small network that has a NaN from step 12 on, without the steps of `missing`.
std::shared_ptr<tt::MemoryStore> small_run(const std::vector<std::int64_t>& missing = {}) {
  auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = saving_all(tt::Judge(std::vector<tt::Rule>()));
  options.on_step = {};
  tt::Hook hook(store, options);
  std::mt19937 random(5);
  for (std::int64_t step = 0; step < 20; ++step) {
    std::vector<float> weight(8);
    for (float& x : weight) x = static_cast<float>(random() % 1000) / 1000;
    hook.begin_step();
    if (std::find(missing.begin(), missing.end(), step) != missing.end()) continue;
    hook.save("loss", 1.0 / static_cast<double>(step + 1));
    hook.save("fc.weight", weight);
    if (step >= 12) weight[3] = std::numeric_limits<float>::quiet_NaN();
    hook.save("gradient/fc.weight", weight);
  }
  hook.close();
  return store;
}

/// What judging a large run took.
struct Cost {
  double in_process = 0;  ///< seconds, with the saving
  double afterwards = 0;  ///< seconds, with the reading
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Returns the most memory that this process has had, in MiB.
double peak_memory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Judges five steps of `layers` weights and as many gradients, in process and afterwards. One gradient has an infinity
/// in each step, and one weight, with a gradient, does not change.
Cost judge_large_steps(std::size_t layers) {
  const std::size_t bad = layers / 5 * 4;
  const std::size_t still = layers / 5 * 2;
  Cost cost;
  const tt::Judge judge(tt::all_rules());
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::string> weights(layers);
  std::vector<std::string> gradients(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    weights[i] = "block" + std::to_string(i % 97) + ".fc" + std::to_string(i) + ".weight";
    gradients[i] = "gradient/" + weights[i];
  }
  auto begin = std::chrono::steady_clock::now();
  {
    tt::Hook hook(store, saving_all(judge));
    for (int step = 0; step < 5; ++step) {
      hook.begin_step(tt::Mode::train, 20 * step);
      hook.save("loss", 1.0 - 0.1 * step);
      for (std::size_t i = 0; i < layers; ++i) {
        const float x = static_cast<float>(i % 11) - 5 + 0.001F * static_cast<float>(i == still ? 0 : step);
        hook.save(weights[i], std::vector<float>{x, x + 1});
        hook.save(gradients[i], std::vector<float>{0.1F, i == bad ? std::numeric_limits<float>::infinity() : x});
      }
    }
    hook.close();
    CHECK(hook.status().callback_errors == 0);
  }
  const tt::Verdict in_process = judge.verdict();
  cost.in_process = seconds_since(begin);
  begin = std::chrono::steady_clock::now();
  const tt::Verdict afterwards = tt::evaluate(tt::Trial(store), tt::all_rules());
  cost.afterwards = seconds_since(begin);
  CHECK(json_lines(afterwards.findings) == json_lines(in_process.findings));
  std::vector<std::string> errors;
  for (const tt::Finding& one : in_process.findings)
    if (one.severity == tt::Severity::error)
      errors.push_back(one.rule + " " + one.tensor + " " + std::to_string(one.step.global_step) + " " +
                       std::to_string(one.count));
  CHECK(errors == std::vector<std::string>{
                      "ExplodingGradient " + gradients[bad] + " 0 5", "ExplodingTensor " + gradients[bad] + " 0 5",
                      "UnchangedTensor " + weights[still] + " 3 2", "UpdateMissing " + weights[still] + " 3 2"});
  std::int64_t most = 0;
  for (const tt::RuleResult& rule : afterwards.rules) most = std::max(most, rule.tensors);
  CHECK(most == static_cast<std::int64_t>(2 * layers + 1));
  return cost;
}

}  // namespace

TEST_CASE("a step of 6'000 tensors is judged in process and afterwards", "[rules][large_run]") {
  (void)judge_large_steps(3'000);
}

// Minutes without optimization: the patterns of the collections are asked about each name.
TEST_CASE("a step of 100'000 tensors is judged in process and afterwards", "[rules][.large]") {
  const double before = peak_memory();
  const Cost cost = judge_large_steps(50'000);
  WARN("five steps: " << cost.in_process << " s in process, " << cost.afterwards << " s afterwards; peak "
                      << peak_memory() << " MiB, before " << before << " MiB");
}

TEST_CASE("tensors of any name are judged, and their findings are JSON", "[rules][large_run]") {
  std::vector<std::string> names = {"gradient/a/b/c",
                                    "gradient/ümlaut/重み/🙂",
                                    "gradient/two\nlines\r\t\x1b[31m",
                                    "gradient/\"quotes\" \\ {}",
                                    "gradient/..",
                                    "gradient/",
                                    "gradient/007",
                                    "gradient/7",
                                    "gradient/\u202e",
                                    "gradient/%s%n",
                                    "gradient//",
                                    " gradient/ "};
  names.push_back("gradient/" + std::string(tt::name_limit - 9, 'x'));
  names.push_back("gradient/" + std::string(tt::name_limit - 9, '9'));
  const tt::Judge judge(tt::all_rules());
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, saving_all(judge));
  for (int step = 0; step < 3; ++step) {
    hook.begin_step();
    for (const std::string& name : names)
      hook.save(name, std::vector<float>{1, std::numeric_limits<float>::infinity()});
  }
  hook.close();
  const auto findings = judge.verdict().findings;
  CHECK(json_lines(tt::evaluate(tt::Trial(store), tt::all_rules()).findings) == json_lines(findings));
  std::vector<std::string> found;
  for (const tt::Finding& one : findings)
    if (one.rule == "ExplodingTensor") found.push_back(one.tensor);
  CHECK(found.size() == names.size());
  const auto place = [&](const std::string& name) {
    return std::find(found.begin(), found.end(), name) - found.begin();
  };
  CHECK(place("gradient/007") + 1 == place("gradient/7"));
  for (const tt::Finding& one : findings)
    for (const char c : to_json(one)) CHECK(static_cast<unsigned char>(c) >= 0x20);
}

TEST_CASE("steps that are missing are no findings, and others are judged", "[rules][large_run]") {
  const auto found_in = [](const std::shared_ptr<tt::MemoryStore>& store) {
    return tt::evaluate(tt::Trial(store), tt::all_rules()).findings;
  };
  const auto find = [](const std::vector<tt::Finding>& findings) -> const tt::Finding& {
    const auto found = std::find_if(findings.begin(), findings.end(),
                                    [](const tt::Finding& one) { return one.rule == "ExplodingTensor"; });
    REQUIRE(found != findings.end());
    return *found;
  };
  const auto whole = found_in(small_run());
  CHECK(find(whole).step.global_step == 12);
  CHECK(find(whole).count == 8);
  const auto some = found_in(small_run({0, 5, 6, 12, 13, 18}));
  CHECK(find(some).step.global_step == 14);
  CHECK(find(some).count == 5);
  // The files of a step are lost.
  const auto store = small_run();
  for (const std::int64_t step : {3, 12}) {
    store->remove(tt::layout::index_key(step, "worker_0"));
    store->remove(tt::layout::event_key(step, "worker_0"));
  }
  CHECK(find(found_in(store)).step.global_step == 13);
  CHECK(find(found_in(store)).count == 7);
}

TEST_CASE("damaged records are reported, and others are judged", "[rules][large_run]") {
  const auto store = small_run();
  for (const std::int64_t step : {12, 15}) {
    const std::string key = tt::layout::event_key(step, "worker_0");
    auto bytes = std::string(tt::text_of(*store->get(key)));
    bytes[bytes.size() - 20] = static_cast<char>(bytes[bytes.size() - 20] ^ 0x40);  // in the gradient, the last record
    store->put(key, bytes);
  }
  store->remove(tt::layout::event_key(17, "worker_0"));
  const tt::Trial trial(store);
  const tt::Verdict verdict = tt::evaluate(trial, tt::all_rules());
  const auto found = std::find_if(verdict.findings.begin(), verdict.findings.end(),
                                  [](const tt::Finding& one) { return one.rule == "ExplodingTensor"; });
  REQUIRE(found != verdict.findings.end());
  CHECK(found->step.global_step == 13);
  CHECK(found->count == 5);
  CHECK_FALSE(found->failed);
  std::string damage;
  for (const tt::Damage& one : trial.damage()) damage += one.where + ": " + one.cause + "\n";
  for (const char* const step : {"step 12", "step 15", "step 17"}) CHECK_THAT(damage, contains(step));
  CHECK_THAT(damage, contains("gradient/fc.weight"));
}

TEST_CASE("a run with any damage is judged, by shards as by one process", "[rules][large_run]") {
  const auto whole = small_run();
  std::vector<std::string> keys;
  for (const char* const prefix : {"events/", "index/", "collections/", "attempts/"})
    for (const tt::ObjectInfo& object : whole->list(prefix)) keys.push_back(object.key);
  REQUIRE(keys.size() > 40);
  std::size_t damaged = 0;
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto store = std::make_shared<tt::MemoryStore>();
    for (const std::string& key : keys) {
      auto bytes = std::string(tt::text_of(*whole->get(key)));
      const auto kind = random() % 12;
      if (kind == 0) continue;  // lost
      if (kind == 1) bytes.resize(random() % (bytes.size() + 1));
      if (kind == 2 && !bytes.empty())
        for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
      store->put(key, bytes);
    }
    store->put(tt::layout::end_marker, "");
    const tt::Trial trial(store);
    const std::string expected = json_lines(tt::evaluate(trial, tt::all_rules()).findings);
    damaged += trial.damage().empty() ? 0 : 1;
    std::vector<tt::Finding> found;
    for (const std::int64_t i : {0, 1, 2}) {
      const auto part = tt::evaluate(trial, tt::all_rules(), {.shard = {i, 3}}).findings;
      found.insert(found.end(), part.begin(), part.end());
    }
    std::sort(found.begin(), found.end(), tt::comes_before);
    CHECK(json_lines(found) == expected);
  }
  CHECK(damaged > 30);
}
