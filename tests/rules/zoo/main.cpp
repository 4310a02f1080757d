// Makes a zoo of runs, healthy and broken, and a manifest that says which is which.
// usage: zoo DIRECTORY [--count N] [--seed N] [--thin 1]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plan.hpp"
#include "training.hpp"
#include "verdict.hpp"

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const zoo::Outcome& outcome) {
  return {{"score", outcome.score}, {"loss", outcome.loss}, {"best_loss", outcome.best_loss}};
}

Json json_of(const zoo::Injected& injected, const zoo::Injection& injection) {
  return {{"step", injected.step},           {"mode", "TRAIN"},
          {"mode_step", injected.mode_step}, {"tensors", injected.tensors},
          {"flat_index", injected.index},    {"value", injection.infinite ? "inf" : "nan"}};
}

std::string config_of(const zoo::Spec& spec) {
  return zoo::family_of(spec) + " depth " + std::to_string(spec.depth) + " width " + std::to_string(spec.width) +
         " batch " + std::to_string(spec.batch) + " steps " + std::to_string(spec.steps) + " rate " +
         Json(spec.rate).dump();
}

/// Makes one run of the zoo after the other.
class Keeper {
 public:
  Keeper(const std::filesystem::path& directory, std::uint64_t seed, bool is_thin)
      : directory_(directory),
        seed_(seed),
        choose_saving_(is_thin ? zoo::choose_thin_saving : zoo::choose_saving),
        manifest_(directory / "manifest.jsonl"),
        tasks_(zoo::task_names()) {}

  void make(std::size_t number, const zoo::Item& item) {
    for (std::size_t attempt = 0; attempt < 12; ++attempt)
      if (try_to_make(number, attempt, item)) return;
    ++missing_;
  }

  void report() const {
    std::printf("%zu healthy, %zu broken, %zu excluded; %zu draws discarded, %zu runs missing\n", healthy_, broken_,
                excluded_, discarded_, missing_);
  }

 private:
  /// Draws a healthy twin, and breaks it. Returns false if the twin does not learn.
  bool try_to_make(std::size_t number, std::size_t attempt, const zoo::Item& item) {
    zoo::Random random(seed_ * 10'000'000 + number * 100 + attempt, "item");
    zoo::Spec twin = zoo::draw_healthy(random, tasks_of(item));
    if (item.trap != nullptr) item.trap->apply(twin, random);
    if (item.fault != nullptr) item.fault->prepare(twin, random);
    choose_saving_(twin, random);
    const zoo::Task task = zoo::make_task(twin.task, twin.seed);
    const std::string name = name_of(number);
    if (item.fault == nullptr) {
      const zoo::Result result = record(name, twin, task);
      if (!zoo::has_learned(task, result.outcome)) return discard(name);
      write(name, item, twin, task, result, result.outcome, "healthy");
      ++healthy_;
      return true;
    }
    const zoo::Outcome expected = zoo::Training(twin, task).run(nullptr).outcome;
    if (!zoo::has_learned(task, expected)) return discard(name);
    zoo::Spec spec = twin;
    item.fault->apply(spec, random);
    const zoo::Result result = record(name, spec, task);
    const bool broken = item.fault->by_definition || zoo::is_worse(task, result.outcome, expected);
    write(name, item, spec, task, result, expected, broken ? "broken" : "excluded", zoo::is_held_out(twin));
    ++(broken ? broken_ : excluded_);
    return true;
  }

  std::vector<std::string> tasks_of(const zoo::Item& item) const {
    if (item.trap != nullptr && !item.trap->tasks.empty()) return item.trap->tasks;
    if (item.fault != nullptr && !item.fault->tasks.empty()) return item.fault->tasks;
    return tasks_;
  }

  static std::string name_of(std::size_t number) {
    const std::string digits = std::to_string(number);
    return "run-" + std::string(5 - std::min<std::size_t>(digits.size(), 5), '0') + digits;
  }

  zoo::Result record(const std::string& name, const zoo::Spec& spec, const zoo::Task& task) const {
    std::filesystem::remove_all(directory_ / name);
    zoo::Tap tap((directory_ / name).string(), spec);
    const zoo::Result result = zoo::Training(spec, task).run(&tap);
    tap.close();
    return result;
  }

  bool discard(const std::string& name) {
    std::filesystem::remove_all(directory_ / name);
    ++discarded_;
    return false;
  }

  void write(const std::string& name, const zoo::Item& item, const zoo::Spec& spec, const zoo::Task& task,
             const zoo::Result& result, const zoo::Outcome& twin, const char* label,
             std::optional<bool> held_out = {}) {
    const zoo::Chance chance = zoo::chance_of(task);
    Json line = {{"run", name},
                 {"task", spec.task},
                 {"config", config_of(spec)},
                 {"saving", zoo::name_of(spec.saving)},
                 {"interval", spec.interval},
                 {"cause", item.fault != nullptr ? item.fault->cause : ""},
                 {"trap", item.trap != nullptr ? item.trap->name : ""},
                 {"label", label},
                 {"outcome", json_of(result.outcome)},
                 {"twin_outcome", json_of(twin)},
                 {"chance", {{"score", chance.score}, {"loss", chance.loss}}},
                 {"injected", nullptr},
                 {"split", held_out.value_or(zoo::is_held_out(spec)) ? "held_out" : "tune"}};
    if (result.injected) line["injected"] = json_of(*result.injected, spec.injection);
    manifest_ << line.dump() << '\n';
  }

  std::filesystem::path directory_;
  std::uint64_t seed_;
  void (*choose_saving_)(zoo::Spec&, zoo::Random&);
  std::ofstream manifest_;
  std::vector<std::string> tasks_;
  std::size_t healthy_ = 0, broken_ = 0, excluded_ = 0, discarded_ = 0, missing_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t count = 400, seed = 0, thin = 0;
  for (int i = 2; i + 1 < argc; i += 2) {
    const bool is_count = std::strcmp(argv[i], "--count") == 0, is_thin = std::strcmp(argv[i], "--thin") == 0;
    (is_count ? count : is_thin ? thin : seed) = std::strtoull(argv[i + 1], nullptr, 10);
  }
  if (argc < 2 || argc % 2 != 0 || count == 0)
    return std::fputs("usage: zoo DIRECTORY [--count N] [--seed N] [--thin 1]\n", stderr), 2;
  try {
    std::filesystem::create_directories(argv[1]);
    Keeper keeper(argv[1], seed, thin != 0);
    std::size_t number = 0;
    for (const zoo::Item& item : zoo::make_plan(count)) keeper.make(++number, item);
    keeper.report();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zoo: %s\n", error.what());
    return 2;
  }
}
