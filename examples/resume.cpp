// Continues a run after its machine was taken away.
//
// train() is what a training program does: it restores the last commit if there is one, and commits each 100th step.
// main() plays the machines: the first attempt vanishes in step 250 without a word, and the second one receives a
// request to stop. The third one ends the run. A reader sees each step exactly once.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

/// A model that one number describes.
struct Model {
  double weight = 1;

  double train_step() { return weight *= 0.99; }
  void load(const std::string& path) { std::ifstream(path) >> weight; }
  std::string save(const std::string& path) const {
    std::filesystem::create_directory("checkpoints");
    std::ofstream(path) << weight;
    return path;
  }
};

/// Trains until step 500, a request to stop, or `vanish_at`.
void train(int vanish_at, int stop_at) {
  tt::Interruption notice({.file = "stop"});  // SIGTERM, SIGINT, SIGUSR1, or a file that appears
  tt::StopSignal stop = notice.signal();
  tt::Hook hook("runs/resume", {.save = tt::every(1), .checkpoint_dir = "checkpoints", .stop = stop});
  Model model;
  if (const auto& at = hook.resumed()) {
    model.load(at->checkpoint);
    std::cout << "resumed after step " << at->step << '\n';
  }
  while (hook.next_step() < 500 && !hook.interrupted()) {
    hook.begin_step();
    hook.save("loss", model.train_step());
    if (hook.step() % 100 == 99) hook.commit(model.save("checkpoints/" + std::to_string(hook.step())));
    if (hook.step() == vanish_at) return;  // what was saved after step 199 will be set aside
    if (hook.step() == stop_at) stop.request(tt::StopReason::user);
  }
  if (hook.interrupted())
    hook.commit(model.save("checkpoints/last"));  // no end marker: the run waits for its successor
  else
    hook.close();
}

int main() {
  train(250, -1);
  train(-1, 333);
  train(-1, -1);
  const tt::Trial trial("runs/resume");
  const auto steps = trial.steps();
  std::cout << (trial.ended() ? "ended with " : "open with ") << steps.size() << " steps, " << steps.front() << " to "
            << steps.back() << '\n';
}
