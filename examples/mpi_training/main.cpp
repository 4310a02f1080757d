// Trains the network of spot_training on Fashion-MNIST with several processes under mpirun, which write one run. Any of
// them may be killed: started again, all continue after the last commit, with the weights of an undisturbed training.
//
//   mpirun -np 4 mpi_training --out-dir run --checkpoint-dir checkpoints --commit-every 50

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <tensortap/adapters/mpi.hpp>
#include <tensortap/tensortap.hpp>

#include "../spot_training/checkpoint_places.hpp"
#include "../spot_training/fashion_mnist.hpp"
#include "../spot_training/report.hpp"
#include "../spot_training/result.hpp"
#include "../spot_training/training.hpp"
#include "parallel_network.hpp"
#include "worker_table.hpp"

namespace mpi_training {
namespace {

using spot_training::FashionMnist;
using Training = spot_training::TrainingOf<ParallelNetwork>;

/// Exit codes of the training; 1 is an error.
enum Ending : int {
  done = 0,
  interrupted = 75,  ///< EX_TEMPFAIL of sysexits.h: start the program again
};

struct Options {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out_dir = "run", checkpoint_dir = "checkpoints", result, fault;
  spot_training::Recipe recipe;
  std::int64_t commit_every = 100, save_every = 10;
};

/// Returns the largest of the numbers of all ranks.
std::int64_t largest(std::int64_t number) {
  MPI_Allreduce(MPI_IN_PLACE, &number, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
  return number;
}

/// Opens the hook of this process. A process that was killed may hold its claim for a moment more.
std::unique_ptr<tt::Hook> open_hook(const Options& options, const tt::WorkerPlace& place, const tt::StopSignal& stop) {
  using R = tt::Reduction;
  const tt::HookOptions hook_options{
      .collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                      {.name = "metrics", .include_regex = "accuracy$|norm$", .save = tt::every(1)},
                      {.name = "weights", .save = tt::every(options.save_every), .reductions = {R::statistics}},
                      {.name = "biases", .save = tt::every(options.save_every), .reductions = {R::statistics}},
                      {.name = "gradients", .save = tt::every(options.save_every), .reductions = {R::statistics}}},
      .worker = place.worker(),
      .num_workers = place.count,
      .checkpoint_dir = options.checkpoint_dir,  // one for all: the first worker commits
      .start_over = true,                        // after a process that was killed before the first commit
      .stop = stop};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    try {
      return std::make_unique<tt::Hook>(options.out_dir, hook_options);
    } catch (const tt::Error& error) {
      if (error.code() != tt::Errc::claimed || std::chrono::steady_clock::now() >= end) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

/// Saves a training step, after backward and before the update. Each process has the same values.
void save_step(tt::Hook& hook, const ParallelNetwork& network, const spot_training::Scores& scores) {
  hook.begin_step(tt::Mode::train);
  hook.save("loss", scores.loss);
  hook.save("accuracy", scores.accuracy);
  hook.save("gradient_norm", network.gradient_norm());
  network.parameters.for_each([&](const std::string& name, const auto& tensor) { hook.save(name, tensor); });
  network.gradient.for_each(
      [&](const std::string& name, const auto& tensor) { hook.save("gradient/" + name, tensor); });
}

/// Says which weights are not the same on all ranks.
void print_differing(const Parameters& parameters, std::int64_t step) {
  std::vector<std::string> names;
  std::vector<tt::TensorView> views;
  parameters.for_each([&](const char* name, const auto& tensor) {
    names.emplace_back(name);
    views.push_back(tt::as_view(tensor));
  });
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  for (const auto& [tensor, of] : tt::differing_replicas(views, MPI_COMM_WORLD))
    if (rank == 0) std::cerr << "after step " << step << ", " << names[tensor] << " of rank " << of << " differs\n";
}

/// Makes the weights of the last rank differ from the others, once.
void break_replica(Parameters& parameters, const tt::WorkerPlace& place) {
  if (place.rank == place.count - 1) parameters.dense1.weight(3, 5) += 0.001f;
}

Ending train(const Options& options, const tt::WorkerPlace& place) {
  const bool is_first = place.rank == 0;
  const tt::Interruption notice({.interval = std::chrono::milliseconds(100)});
  const FashionMnist images(options.data, "train"), test(options.data, "t10k");
  Training training(options.recipe, images);
  const std::unique_ptr<tt::Hook> opened = open_hook(options, place, notice.signal());
  tt::Hook& hook = *opened;
  spot_training::CheckpointPlaces places(options.checkpoint_dir, nullptr);
  if (const auto at = hook.resumed()) {
    places.continue_from(at->checkpoint);
    training.restore(spot_training::read_file(at->checkpoint), at->checkpoint);
    if (is_first) std::cout << "attempt " << at->attempt << " continues after step " << at->global_step << std::endl;
  }
  if (largest(hook.global_step()) != hook.global_step())
    throw std::runtime_error("resume: the processes have found different commits; give all the same checkpoint_dir");

  // One process commits when the steps of all are durable, and the others wait: no process is ahead of the checkpoint.
  std::int64_t committed = hook.global_step();
  const auto commit = [&] {
    if (hook.global_step() == committed) return;
    committed = hook.global_step();
    print_differing(training.network().parameters, committed);
    if (!is_first) hook.flush();
    MPI_Barrier(MPI_COMM_WORLD);
    if (is_first) hook.commit(places.write(committed, training.checkpoint()));
    MPI_Barrier(MPI_COMM_WORLD);
  };
  // A notice may reach some processes one step earlier than others: all stop after the same one.
  const auto is_stopped = [&] { return largest(hook.interrupted() ? 1 : 0) > 0; };

  const auto half = static_cast<std::int64_t>(options.recipe.epochs * training.batches_per_epoch() / 2);
  std::optional<spot_training::Scores> scores;
  bool stopped = false;
  while (!training.ended() && !stopped) {
    while (!training.epoch_ended() && !stopped) {
      if (options.fault == "divergence" && hook.next_step(tt::Mode::train) == half)
        break_replica(training.network().parameters, place);
      training.step(
          [&](const ParallelNetwork& network, const spot_training::Scores& now) { save_step(hook, network, now); });
      if (hook.next_step(tt::Mode::train) % options.commit_every == 0) commit();
      stopped = is_stopped();
    }
    if (!training.epoch_ended()) break;
    scores = training.evaluate(test);
    hook.begin_step(tt::Mode::eval);
    hook.save("loss", scores->loss);
    hook.save("accuracy", scores->accuracy);
    training.end_epoch();
    if (is_first)
      std::cout << std::fixed << "epoch " << training.epoch() << ": test loss " << std::setprecision(4) << scores->loss
                << ", test accuracy " << std::setprecision(2) << 100 * scores->accuracy << " %" << std::endl;
    commit();
  }
  if (!training.ended()) {
    commit();
    if (is_first) std::cout << "interrupted by a signal after step " << hook.global_step() << std::endl;
    return interrupted;  // the run stays open for the next attempt
  }
  if (!scores) scores = training.evaluate(test);  // an earlier attempt has finished all epochs
  hook.close();                                   // the last one to close ends the run
  MPI_Barrier(MPI_COMM_WORLD);
  if (!is_first) return done;
  const spot_training::Result result{.train_steps = options.recipe.epochs * training.batches_per_epoch(),
                                     .eval_steps = options.recipe.epochs,
                                     .checksum = spot_training::checksum(training.network().parameters),
                                     .accuracy = scores->accuracy};
  std::cout << "checksum of the weights: " << result.checksum << '\n';
  if (!options.result.empty()) spot_training::write_result(result, options.result);
  if (!print_worker_table(options.out_dir, place.count, result.train_steps, result.eval_steps, std::cout))
    throw std::runtime_error("the run does not hold each step of each worker once");
  return done;
}

/// Trains, and ends the processes of all ranks if this one fails.
int run(const Options& options) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  try {
    const auto place = tt::WorkerPlace::from_environment().value_or(tt::WorkerPlace{});
    if (largest(place.rank != rank || place.count != ranks ? 1 : 0) > 0)
      throw std::runtime_error("the launcher has set no variables that WorkerPlace knows; see examples/mpi_training");
    return train(options, place);
  } catch (const tt::Error& error) {
    if (error.code() == tt::Errc::ended) {
      if (rank == 0) std::cout << "nothing left to do\n";
      return done;
    }
    std::cerr << "mpi_training: rank " << rank << ": " << error.what() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "mpi_training: rank " << rank << ": " << error.what() << '\n';
  }
  MPI_Abort(MPI_COMM_WORLD, 1);
  return 1;
}

}  // namespace
}  // namespace mpi_training

int main(int argc, char** argv) {
  mpi_training::Options options;
  spot_training::Recipe& recipe = options.recipe;
  CLI::App app(
      "Trains a small convolutional network on Fashion-MNIST with the processes of mpirun, which write one run.");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", options.data, "directory of the four *-ubyte.gz files");
  app.add_option("--out-dir", options.out_dir, "directory for the run, which all processes see");
  app.add_option("--checkpoint-dir", options.checkpoint_dir, "directory for the checkpoints, which all processes see");
  app.add_option("--batch-size", recipe.batch_size, "images per step, of all processes")->check(CLI::Range(1, 10'000));
  app.add_option("--epochs", recipe.epochs, "passes over the training images")->check(CLI::Range(1, 1'000));
  app.add_option("--learning-rate", recipe.learning_rate, "step length of the optimiser")->check(CLI::PositiveNumber);
  app.add_option("--seed", recipe.seed, "seed of the random numbers");
  app.add_option("--limit", recipe.limit, "use only the first N training images and test images")
      ->check(CLI::PositiveNumber);
  app.add_option("--commit-every", options.commit_every, "write a checkpoint after each N steps, and after each epoch")
      ->check(CLI::PositiveNumber);
  app.add_option("--save-every", options.save_every, "save weights and gradients in each Nth step")
      ->check(CLI::PositiveNumber);
  app.add_option("--result", options.result, "write the result to this file, as JSON");
  app.add_option("--inject", options.fault, "divergence: halfway, change a weight of the last process")
      ->check(CLI::IsMember({"divergence"}));
  app.footer("Exit codes: 0 done, 1 error, 75 interrupted by a signal (start again).");
  CLI11_PARSE(app, argc, argv);
  MPI_Init(&argc, &argv);
  const int ending = mpi_training::run(options);
  MPI_Finalize();
  return ending;
}
