// Writes runs for tensorboard_test.py and tensorboard_live_test.py, with files for TensorBoard in tensorboard/.
//
// usage: board_program DIRECTORY
//   DIRECTORY/one of one worker, which ends, and DIRECTORY/two of two, which goes on. In both worker_0 is interrupted
//   twice, so that steps are saved again.
// usage: board_program DIRECTORY WORKERS run|alone
//   A run of 200 steps, to be killed and started again; the workers take turns in one process.
#include <cmath>
#include <complex>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

constexpr int steps = 40;

void save(tt::Hook& hook, std::int64_t step, int attempt) {
  const auto x = static_cast<double>(step);
  hook.save("loss", 1 / (x + 1) + 1000 * attempt);  // what was set aside differs
  std::vector<float> weights(257);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(std::sin(x + static_cast<double>(i * i)));
  if (step % 3 == 0) weights[7] = std::numeric_limits<float>::quiet_NaN();
  if (step % 6 == 0) weights[8] = -std::numeric_limits<float>::infinity();
  hook.save("layer/weights", weights);
  hook.save("gradient", weights);
  hook.save("gradient/mean", x);  // as the reduction of "gradient" is called
  hook.save("equal", std::vector<std::int32_t>(5, static_cast<std::int32_t>(step)));
  hook.save("wide", std::vector<double>{-1.5e308, 1.5e308, 0});
  hook.save("only_nan", std::vector<float>(3, std::numeric_limits<float>::quiet_NaN()));
  hook.save("zero", 0.0);
  hook.save("flag", step % 2 == 0);
  hook.save("nan", std::numeric_limits<double>::quiet_NaN());
  hook.save("changes", std::vector<float>(step < 10 ? 1 : 2, 0.5F));
  hook.save("text", "a text");
  hook.save("complex", std::vector<std::complex<float>>{{1, 2}, {3, 4}});
}

/// Finds something in two steps, each in two tensors.
std::vector<tt::Finding> find(const tt::JudgedStep& step) {
  const std::int64_t at = step.step().global_step;
  if (at != 12 && at != 33) return {};
  return {{.rule = "Twice", .tensor = at == 12 ? "loss" : "zero", .value = 1, .message = "*" + std::to_string(at)},
          {.rule = "Twice", .tensor = at == 12 ? "equal" : "wide", .value = 2, .message = "and another one"}};
}

tt::HookOptions options_of(const std::string& worker, int workers, double& now) {
  return {.collections = {{.name = "reduced", .include_regex = {"^gradient$"}, .reductions = {R::mean, R::statistics}},
                          {.name = "others", .include_regex = {"^[^g]", "^gradient/mean$"}}},
          .save = tt::every(1),
          .worker = worker,
          .num_workers = workers,
          .facts = {{"hyperparameters/lr", "0.5"},
                    {"hyperparameters/zero", "0"},
                    {"hyperparameters/name", "adam"},
                    {"hyperparameters/nesterov", "true"},
                    {"seed", "17"}},
          .on_step = tt::Judge({find}),
          .tensorboard = true,
          .wall_time = [&now] { return now += 0.25; }};
}

/// Saves until `end`, and ends there without a word if the run goes on. worker_0 commits each 10th step.
void train(const std::string& directory, int workers, const std::string& worker, int attempt, std::int64_t end) {
  const std::string checkpoints = directory + "_checkpoints";
  std::filesystem::create_directories(checkpoints);
  double now = 1.7e9 + 1000 * attempt;
  tt::HookOptions options = options_of(worker, workers, now);
  if (worker == "worker_0") options.checkpoint_dir = checkpoints;
  tt::Hook hook(directory, options);
  while (hook.next_step(tt::Mode::global) < end) {
    hook.begin_step(hook.next_step(tt::Mode::global) % 4 == 3 ? tt::Mode::eval : tt::Mode::train);
    save(hook, hook.global_step(), attempt);
    if (worker != "worker_0" || hook.global_step() % 10 != 9) continue;
    const std::string file = checkpoints + "/" + std::to_string(hook.global_step());
    std::ofstream(file) << hook.global_step();
    hook.commit(file);
  }
  if (end == steps && worker == "worker_0") hook.close();
}

/// Saves 200 steps, and commits each tenth. What is saved depends on the attempt, so that readers can tell what counts.
void train_on(const std::string& directory, int workers, bool alone) {
  const std::string checkpoints = directory + "_checkpoints";
  std::filesystem::create_directories(checkpoints);
  double now = 0;
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (int i = 0; i < workers; ++i) {
    tt::HookOptions options = options_of("worker_" + std::to_string(i), workers, now);
    options.checkpoint_dir = checkpoints;
    options.start_over = true;
    options.run_files = !alone;
    hooks.push_back(std::make_unique<tt::Hook>(directory, options));
  }
  const auto& resumed = hooks[0]->resumed();
  const int attempt = resumed ? static_cast<int>(resumed->attempt) : 0;
  now = 1.7e9 + 1000 * attempt;
  while (hooks[0]->next_step(tt::Mode::global) < 200) {
    const std::int64_t step = hooks[0]->next_step(tt::Mode::global);
    for (const auto& hook : hooks) {
      hook->begin_step(step % 4 == 3 ? tt::Mode::eval : tt::Mode::train);
      save(*hook, step, attempt);
      if (step % 7 == 0) hook->save("rare", static_cast<double>(step + 1000 * attempt));
    }
    if (step % 10 != 9) continue;
    for (std::size_t i = 1; i < hooks.size(); ++i) hooks[i]->flush();
    const std::string file = checkpoints + "/" + std::to_string(step);
    std::ofstream(file) << step;
    hooks[0]->commit(file);
  }
  for (auto hook = hooks.rbegin(); hook != hooks.rend(); ++hook) (*hook)->close();
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 2) {
    train_on(arguments[1], std::stoi(arguments[2]), std::string_view(arguments[3]) == "alone");
    return 0;
  }
  for (const int workers : {1, 2}) {
    const std::string directory = std::string(arguments[1]) + (workers == 1 ? "/one" : "/two");
    if (workers == 2) train(directory, workers, "worker_1", 0, steps);
    train(directory, workers, "worker_0", 0, 17);
    train(directory, workers, "worker_0", 1, 26);
    train(directory, workers, "worker_0", 2, steps);
  }
}
