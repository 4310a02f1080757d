// Simulates a training on machines that are taken away, with a second program that judges the run. The first machine
// gets a notice (SIGTERM), the second one does not (SIGKILL), and neither does a third one on S3, which goes before its
// first commit; the last one stays. The files of a machine vanish with it. Only the run and the durable checkpoints
// survive: two directories, or two prefixes of a bucket. At the end, the run must hold each step once, and the weights
// must be those of a training without interruptions.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/tensortap.hpp>

#include "fault.hpp"
#include "open_store.hpp"
#include "process.hpp"
#include "result.hpp"

namespace spot_training {
namespace {

namespace fs = std::filesystem;
namespace tt = tensortap;

struct Options {
  fs::path dir = "spot";
  fs::path reference;                 ///< the result of a training without interruptions
  std::string s3;                     ///< address of the run and the checkpoints; empty: the directory
  std::string fault;                  ///< breaks the training, and takes no machine away
  int timeout = 900;                  ///< of each wait. Units: seconds
  std::vector<std::string> training;  ///< options of the training
};

/// One attempt of the training, on a machine of its own.
struct Machine {
  std::string taken_by;
  std::int64_t begins_after = -1, last_step = -1;  ///< global steps
};

/// Counts of the steps that a run holds once, more often, or never; `unknown` ones are not expected at all.
struct Census {
  std::size_t once = 0, more = 0, never = 0, unknown = 0;
};

std::string percent(double share) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << 100 * share << " %";
  return out.str();
}

std::string last_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line, last;
  while (std::getline(file, line))
    if (!line.empty()) last = line;
  return last;
}

class Simulation {
 public:
  explicit Simulation(Options options) : options_(std::move(options)) {
    fs::create_directories(options_.dir);
    if (!fs::is_empty(options_.dir))
      throw std::runtime_error(options_.dir.string() + ": not empty; empty it or name another directory");
    if (!options_.s3.empty() && !open_store(options_.s3)->list("").empty())
      throw std::runtime_error(options_.s3 + ": not empty; empty it or name another prefix");
  }

  /// Runs the simulation; returns whether all checks passed.
  bool play() {
    if (!options_.fault.empty()) {
      break_training(*fault_named(options_.fault));
      return sound_;
    }
    Process judge({TENSORTAP_COMMAND, "judge", run_, "--follow", "--rule", "VanishingGradient", "--severity", "error",
                   "--stop-file", stop_file_.string()},
                  judge_text_);
    take_machines(judge);
    return sound_;
  }

 private:
  void take_machines(Process& judge) {
    const Result expected = read_result(options_.reference);
    const std::size_t epochs = expected.eval_steps, batches = expected.train_steps / epochs;
    // Within an epoch, after one third and two thirds of the training. Each epoch has one evaluation.
    run_machine("SIGTERM", SIGTERM, 75, epochs / 3 * (batches + 1) + batches * 2 / 5);
    run_machine("SIGKILL", SIGKILL, -SIGKILL, 2 * epochs / 3 * (batches + 1) + batches * 3 / 5);
    if (!options_.s3.empty())  // in the same epoch, after the last step of the machine before
      run_machine("SIGKILL", SIGKILL, -SIGKILL, 2 * epochs / 3 * (batches + 1) + batches * 4 / 5);
    run_machine();
    const int verdict = end_of(judge, "the judge");

    const Result result = read_result(result_);
    const Census census = count_steps(expected);
    const std::size_t steps = expected.train_steps + expected.eval_steps;
    const tt::Trial trial(run_);
    print_machines();
    print_judgement();
    check("a notice loses nothing", "continues after step " + std::to_string(machines_[1].begins_after),
          machines_[1].begins_after == machines_[0].last_step);
    check("steps stored once, more often, never",
          std::to_string(census.once) + " of " + std::to_string(steps) + ", " + std::to_string(census.more) + ", " +
              std::to_string(census.never),
          census.once == steps && census.more + census.never + census.unknown == 0);
    check("the run has ended and is sound", trial.ended() ? "ended" : "open", trial.ended() && trial.damage().empty());
    check("test accuracy", percent(result.accuracy), result.accuracy == expected.accuracy);
    check("weights as without interruptions", result.checksum + " and " + expected.checksum,
          result.checksum == expected.checksum);
    check("the rule", last_line(judge_text_), verdict == 0);
    std::cout << std::left << std::setw(48) << "the hook's share of a step" << std::right
              << percent(result.hook_share()) << ", without interruptions " << percent(expected.hook_share()) << '\n';
  }

  /// Runs a training with a fault, whose rules must stop it, and opens what its flight recorder held.
  void break_training(const FaultDescription& fault) {
    std::cout << fault.name << ": " << fault.what << std::endl;
    Process training = start_training(new_machine());
    expect_end(training, 4);
    std::cout << std::endl;
    bool is_found = false, opens = false;
    for (const std::string& snapshot : snapshots()) {
      const std::string findings = text_of(snapshot + "/findings.jsonl");
      is_found = is_found || has_error_of(fault.rule, findings);
      const tt::Trial trial(open_store(run_ + "/" + snapshot));
      opens = trial.verify().records > 0 && trial.damage().empty() && trial.ended() && trial.has_tensor("loss") &&
              trial.has_tensor("gradient/conv1.weight");
      std::cout << "== " << snapshot << '\n' << findings;
      Process show({TENSORTAP_COMMAND, "show", run_ + "/" + snapshot});
      opens = end_of(show, "tensortap show") == 0 && opens;
      if (!opens) break;
    }
    std::cout << std::endl;
    check("the rule " + std::string(fault.rule) + " has found it", is_found ? "an error" : "no error", is_found);
    check("the training has stopped", "after step " + std::to_string(last_step()), !tt::Trial(store_).ended());
    check("the snapshot opens", opens ? "as a run" : "it does not", opens);
  }

  /// Returns the snapshots of the run that are complete, as keys.
  std::vector<std::string> snapshots() const {
    const std::string end = "/" + std::string(tt::layout::end_marker);
    std::vector<std::string> out;
    for (const tt::ObjectInfo& object : store_->list(tt::layout::snapshots_prefix))
      if (object.key.ends_with(end)) out.push_back(object.key.substr(0, object.key.size() - end.size()));
    return out;
  }

  std::string text_of(const std::string& key) const {
    const auto bytes = store_->get(key);
    return bytes ? std::string(tt::text_of(*bytes)) : std::string();
  }

  static bool has_error_of(std::string_view rule, const std::string& findings) {
    std::istringstream lines(findings);
    for (std::string line; std::getline(lines, line);) {
      const auto finding = nlohmann::json::parse(line);
      if (finding.at("rule") == rule && finding.at("severity") == "error") return true;
    }
    return false;
  }

  /// Runs a training on a new machine until it ends, or until `global_step` is saved; then sends `signal`.
  void run_machine(const char* taken_by = "-", int signal = 0, int exit_code = 0, std::size_t global_step = 0) {
    const fs::path machine = new_machine();
    Process training = start_training(machine);
    if (signal != 0) {
      const std::string key = tt::layout::index_key(static_cast<std::int64_t>(global_step), worker);
      wait_for("step " + std::to_string(global_step), [&] { return training.ended() || store_->size(key); });
      training.send(signal);
    }
    expect_end(training, exit_code);
    fs::remove_all(machine);
    machines_.push_back({taken_by, resumed_at(), last_step()});
  }

  /// Makes the empty directory of a new machine.
  fs::path new_machine() {
    const fs::path machine = options_.dir / ("machine_" + std::to_string(machines_.size()));
    fs::create_directories(machine);
    std::cout << "\n== " << machine.filename().string() << std::endl;
    return machine;
  }

  Process start_training(const fs::path& machine) const {
    std::vector<std::string> command = {
        SPOT_TRAINING, "--out-dir", run_,          "--checkpoint-dir", machine / "checkpoints",
        "--durable",   durable_,    "--stop-file", stop_file_,         "--result",
        result_};
    if (!options_.fault.empty())
      command.insert(command.end(),
                     {"--inject", options_.fault, "--stop-on", std::string(fault_named(options_.fault)->rule)});
    command.insert(command.end(), options_.training.begin(), options_.training.end());
    return Process(std::move(command));
  }

  template <class Condition>
  void wait_for(const std::string& what, const Condition& condition) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options_.timeout);
    for (; !condition(); std::this_thread::sleep_for(std::chrono::milliseconds(2)))
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error("waited " + std::to_string(options_.timeout) + " s for " + what);
  }

  int end_of(Process& process, const std::string& what) const {
    wait_for("the end of " + what, [&] { return process.ended().has_value(); });
    return *process.ended();
  }

  void expect_end(Process& training, int code) const {
    if (const int other = end_of(training, "the training"); other != code)
      throw std::runtime_error("the training ended with exit code " + std::to_string(other) + ", not " +
                               std::to_string(code) + ", after step " + std::to_string(last_step()) +
                               (other == 0 ? "; it was too short, take more --epochs or a larger --limit" : ""));
  }

  /// Returns the last saved global step.
  std::int64_t last_step() const {
    const auto objects = store_->list(tt::layout::index_prefix);
    return objects.empty() ? -1 : tt::layout::parse_index_key(objects.back().key).value().global_step;
  }

  /// Returns the step after which the last attempt continued.
  std::int64_t resumed_at() const {
    const std::string key = store_->list(tt::layout::attempts_prefix).back().key;
    return tt::parse_attempt(tt::text_of(store_->get(key).value()), key).resumed_at;
  }

  /// Counts the index files themselves: a Trial would hide duplicates.
  Census count_steps(const Result& expected) const {
    const std::vector<tt::ObjectInfo> objects = store_->list(tt::layout::index_prefix);
    std::vector<tt::IndexFile> indexes(objects.size());
    tt::detail::parallel_for(objects.size(), store_->concurrency(), [&](std::size_t i) {
      indexes[i] = tt::parse_index(tt::text_of(store_->get(objects[i].key).value()), objects[i].key);
    });
    std::map<std::pair<tt::Mode, std::int64_t>, int> times;
    for (const tt::IndexFile& index : indexes) ++times[{index.mode, index.mode_step}];
    Census census;
    for (const auto& [mode, steps] :
         {std::pair{tt::Mode::train, expected.train_steps}, {tt::Mode::eval, expected.eval_steps}})
      for (std::size_t step = 0; step < steps; ++step) {
        const auto found = times.extract({mode, static_cast<std::int64_t>(step)});
        ++(!found ? census.never : found.mapped() == 1 ? census.once : census.more);
      }
    census.unknown = times.size();
    return census;
  }

  void print_machines() const {
    std::cout << "\nmachine   resumed after   last step   taken by\n";
    for (std::size_t i = 0; i < machines_.size(); ++i)
      std::cout << std::setw(7) << i << std::setw(16) << machines_[i].begins_after << std::setw(12)
                << machines_[i].last_step << "   " << machines_[i].taken_by << '\n';
  }

  void print_judgement() const { std::cout << "\nthe judge:\n" << std::ifstream(judge_text_).rdbuf() << '\n'; }

  /// Prints a line of the final table.
  void check(const std::string& what, const std::string& found, bool right) {
    std::cout << std::left << std::setw(48) << what << std::setw(44) << found << (found.size() < 44 ? "" : "  ")
              << (right ? "yes" : "NO") << '\n'
              << std::right;
    sound_ = sound_ && right;
  }

  static constexpr std::string_view worker = "worker_0";

  Options options_;
  std::string place_ = options_.s3.empty() ? options_.dir.string() : options_.s3;
  std::string run_ = place_ + "/run", durable_ = place_ + "/durable";
  fs::path stop_file_ = options_.dir / "stop", result_ = options_.dir / "result.json",
           judge_text_ = options_.dir / "judge.txt";
  std::shared_ptr<tt::Store> store_ = open_store(run_);
  std::vector<Machine> machines_;
  bool sound_ = true;
};

}  // namespace
}  // namespace spot_training

int main(int argc, char** argv) {
  spot_training::Options options;
  CLI::App app("Simulates a training on machines that are taken away, and checks that nothing is lost.");
  app.add_option("--dir", options.dir, "an empty directory for all files")->capture_default_str();
  app.add_option("--reference", options.reference, "result of the same training without interruptions");
  app.add_option("--s3", options.s3, "keep run and checkpoints in this empty s3://BUCKET/PREFIX");
  app.add_option("--inject", options.fault, "break the training instead, and check that a rule finds it")
      ->check(spot_training::check_fault);
  app.add_option("--timeout", options.timeout, "seconds of each wait at most")->capture_default_str();
  app.allow_extras();
  app.footer("The training gets all other options.");
  CLI11_PARSE(app, argc, argv);
  options.training = app.remaining();
  try {
    return spot_training::Simulation(options).play() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "spot_simulation: " << error.what() << '\n';
    return 1;
  }
}
