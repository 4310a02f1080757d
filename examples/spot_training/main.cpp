// Trains a small convolutional network on Fashion-MNIST and taps its tensors. The machine may be taken away: with a
// directory for checkpoints, the next process continues after the last commit.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <tensortap/tensortap.hpp>
#include <tensortap/trace.hpp>

#include "checkpoint_places.hpp"
#include "fashion_mnist.hpp"
#include "fault.hpp"
#include "open_store.hpp"
#include "progress_bar.hpp"
#include "report.hpp"
#include "tap.hpp"
#include "training.hpp"

namespace spot_training {
namespace {

/// Exit codes of the training; 1 is an error.
enum Ending : int {
  done = 0,
  stopped = 3,       ///< the stop file appeared: a rule beside the training has found something
  by_rule = 4,       ///< a rule in this process has found an error
  interrupted = 75,  ///< EX_TEMPFAIL of sysexits.h: start the program again
};

/// Returns the channel "training" of a managed job, else where Debian's dataset-fashion-mnist is.
std::string data_directory() {
  const char* const channel = std::getenv("SM_CHANNEL_TRAINING");
  return channel != nullptr ? channel : "/usr/share/datasets/fashion-mnist";
}

struct Options {
  std::string data = data_directory();
  std::string out_dir = "run";
  Recipe recipe;
  std::string checkpoint_dir, durable, stop_file, result;
  std::int64_t commit_every = 0;
  bool statistics = false, trace = false;
  std::string rules = "all", stop_on = "any";
  std::int64_t recorded = 10;
  std::optional<tt::HookConfiguration> configuration;  // what a managed job says
};

/// Takes the run and the checkpoints from the environment of a managed job, if it configures a hook.
void read_environment(Options& options) {
  tt::HookConfiguration configuration = tt::HookConfiguration::from_environment();
  if (!configuration.options.enabled) return;
  options.out_dir = configuration.out_dir;
  options.checkpoint_dir = configuration.options.checkpoint_dir;
  options.configuration = std::move(configuration);
}

void print_epoch(std::size_t epoch, double seconds, const Scores& scores) {
  std::cout << std::fixed << "epoch " << epoch << ": " << std::setprecision(1) << seconds << " s, test loss "
            << std::setprecision(4) << scores.loss << ", test accuracy " << std::setprecision(2)
            << 100 * scores.accuracy << " %" << std::endl;
}

/// Opens a hook on the run. On S3, the claim of a machine that vanished expires after some seconds.
std::unique_ptr<tt::Hook> open_hook(const std::string& run, const tt::HookOptions& options) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(run.starts_with("s3://") ? 60 : 0);
  for (;;) {
    try {
      return std::make_unique<tt::Hook>(open_store(run, options.phases), options);
    } catch (const tt::Error& error) {
      if (error.code() != tt::Errc::claimed || options.stop.requested() || Clock::now() >= end) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

/// Returns the options of the hook: what it saves, the rules that see it, and what they do with errors.
tt::HookOptions hook_options(const Options& options, const tt::StopSignal& stop) {
  if (options.configuration) return options.configuration->over({.stop = stop});
  tt::HookOptions out{.collections = tapped_collections(options.statistics),
                      .start_over = true,  // after a machine that went before its first commit
                      .stop = stop};
  if (options.rules == "none") return out;
  const std::vector<tt::Rule> rules = tt::all_rules();
  for (tt::Collection& collection : judged_collections(rules)) out.collections.push_back(std::move(collection));
  out.recorder = {.steps = options.recorded,
                  .collections = {"losses", "metrics", "weights_raw", "biases_raw", "gradients_raw"}};
  const auto act = [rule = options.stop_on, stop = tt::StopTraining{stop},
                    snapshot = tt::Snapshot{out.requests}](const tt::Finding& finding) mutable {
    if (finding.severity != tt::Severity::error || (rule != "any" && finding.rule != rule)) return;
    snapshot(finding);
    stop(finding);
  };
  out.on_step = tt::Judge(rules, {tt::Print{std::cout}, act});
  return out;
}

/// Writes where the time goes, and what the machine does, beside the run.
struct Trace {
  explicit Trace(const std::shared_ptr<tt::Store>& store)
      : tracer(std::make_shared<tt::Tracer>(store)), sampler(store) {}

  std::shared_ptr<tt::Tracer> tracer;
  tt::SystemSampler sampler;
};

Ending ending_of(tt::StopReason reason) {
  return reason == tt::StopReason::rule ? by_rule : reason == tt::StopReason::signal ? interrupted : stopped;
}

Ending train(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const tt::Interruption notice({.file = options.stop_file, .interval = std::chrono::milliseconds(100)});
  const FashionMnist images(options.data, "train"), test(options.data, "t10k");
  Training training(options.recipe, images);
  CheckpointPlaces places(options.checkpoint_dir, options.durable.empty() ? nullptr : open_store(options.durable));
  std::optional<Trace> trace;
  if (options.trace) trace.emplace(open_store(options.out_dir + "/profiler"));
  tt::HookOptions tapping = places.attach(hook_options(options, notice.signal()));
  if (trace) tapping.phases = trace->tracer;
  const std::unique_ptr<tt::Hook> opened = open_hook(options.out_dir, tapping);
  tt::Hook& hook = *opened;
  if (const auto at = hook.resumed()) {
    places.continue_from(at->checkpoint);
    training.restore(read_file(at->checkpoint), at->checkpoint);
    std::cout << "attempt " << at->attempt << " continues after step " << at->global_step << std::endl;
  }
  Tap tap(hook);
  std::int64_t committed = hook.global_step();
  const auto commit = [&] {
    if (options.checkpoint_dir.empty() || hook.global_step() == committed) return;
    committed = hook.global_step();
    tap.commit(places.write(committed, training.checkpoint()));
  };

  ProgressBar progress(training.images_done(), training.images_in_all());
  double learning_seconds = 0;
  std::optional<Scores> scores;
  while (!training.ended() && !hook.interrupted()) {
    const Clock::time_point start = Clock::now();
    const double before = tap.step_seconds() + tap.commit_seconds();
    while (!training.epoch_ended() && !hook.interrupted()) {
      tap.begin(tt::Mode::train);
      const Scores of_batch = training.step(
          [&](const Network& network, const Scores& now) { tap.train_step(network, now, training.learning_rate()); },
          [&](const char* name) { return hook.phase(name); });
      progress.show(training.images_done(), of_batch.loss);
      if (options.commit_every > 0 && hook.next_step(tt::Mode::train) % options.commit_every == 0) commit();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    learning_seconds += seconds - (tap.step_seconds() + tap.commit_seconds() - before);
    progress.clear();
    if (!training.epoch_ended()) break;
    tap.begin(tt::Mode::eval);
    scores = training.evaluate(test);
    tap.evaluation(*scores);
    training.end_epoch();
    print_epoch(training.epoch(), seconds, *scores);
    commit();
  }
  if (!training.ended()) {
    commit();
    const Ending ending = ending_of(notice.signal().reason());
    std::cout << (ending == interrupted ? "interrupted by a signal"
                  : ending == by_rule   ? "stopped by a rule"
                                        : "stopped by " + options.stop_file)
              << " after step " << hook.global_step() << std::endl;
    return ending;  // the run stays open for the next attempt
  }
  tap.close();
  if (!scores) scores = training.evaluate(test);  // an earlier attempt has finished all epochs
  const Result result{.train_steps = options.recipe.epochs * training.batches_per_epoch(),
                      .eval_steps = options.recipe.epochs,
                      .checksum = checksum(training.network().parameters),
                      .accuracy = scores->accuracy,
                      .hook_seconds = tap.step_seconds(),
                      .learning_seconds = learning_seconds,
                      .commit_seconds = tap.commit_seconds()};
  report(options.out_dir, result, std::cout);
  if (!options.result.empty()) write_result(result, options.result);
  return done;
}

}  // namespace
}  // namespace spot_training

int main(int argc, char** argv) {
  spot_training::Options options;
  spot_training::Recipe& recipe = options.recipe;
  CLI::App app("Trains a small convolutional network on Fashion-MNIST and taps its tensors.");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", options.data, "directory of the four *-ubyte.gz files");
  app.add_option("--out-dir", options.out_dir, "directory for the run, or s3://BUCKET/PREFIX");
  app.add_option("--batch-size", recipe.batch_size, "images per step")->check(CLI::Range(1, 10'000));
  app.add_option("--epochs", recipe.epochs, "passes over the training images")->check(CLI::Range(1, 1'000));
  app.add_option("--learning-rate", recipe.learning_rate, "step length of the optimiser")->check(CLI::PositiveNumber);
  app.add_option("--seed", recipe.seed, "seed of the random numbers");
  app.add_option("--limit", recipe.limit, "use only the first N training images and test images")
      ->check(CLI::PositiveNumber);
  app.add_option("--checkpoint-dir", options.checkpoint_dir,
                 "resume from the last checkpoint in this directory; write one after each epoch and on SIGTERM");
  app.add_option("--commit-every", options.commit_every, "also write a checkpoint after each N steps")
      ->check(CLI::PositiveNumber);
  app.add_option("--durable", options.durable,
                 "copy the checkpoints to this directory or s3://BUCKET/PREFIX, which outlives the machine")
      ->needs("--checkpoint-dir");
  app.add_option("--stop-file", options.stop_file, "stop when this file appears (exit code 3)");
  app.add_flag("--statistics", options.statistics, "also save all statistics of all gradients in each step");
  app.add_flag("--trace", options.trace, "also write where the time goes, to the folder profiler of the run");
  app.add_option("--result", options.result, "write the result to this file, as JSON");
  std::string fault;
  app.add_option("--inject", fault, "break the training; \"list\" lists the faults")->check(spot_training::check_fault);
  app.add_option("--rules", options.rules, "the rules that judge the training in this process: all or none")
      ->check(CLI::IsMember({"all", "none"}));
  app.add_option("--stop-on", options.stop_on, "the rule whose errors stop the training, or any");
  app.add_option("--recorded", options.recorded, "steps in the memory of the flight recorder, for snapshots; 0: none")
      ->check(CLI::NonNegativeNumber);
  app.footer(
      "Exit codes: 0 done, 1 error, 3 stopped by the stop file, 4 stopped by a rule, 75 interrupted by a signal (start "
      "again).");
  CLI11_PARSE(app, argc, argv);
  if (app.count("--out-dir") == 0) spot_training::read_environment(options);
  if (const spot_training::FaultDescription* const one = spot_training::fault_named(fault)) recipe.fault = one->fault;
  try {
    return spot_training::train(options);
  } catch (const std::exception& error) {
    std::cerr << "spot_training: " << error.what() << '\n';
    return 1;
  }
}
