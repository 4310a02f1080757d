// Continues a run after its machine was taken away.
//
// train() is what a training program does: it restores the last commit if there is one, and commits each 100th step.
// main() plays the machines: the first attempt vanishes in step 250 without a word, and the second one receives a
// request to stop. The third one ends the run. A reader sees each step exactly once.
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

/// A model that one number describes.
struct Model {
  double weight = 1;

  double train_step() { return weight *= 0.99; }
  void load(const std::string& path) {
    if (!(std::ifstream(path) >> weight)) throw std::runtime_error("cannot read " + path);
  }
  bool save(const std::string& path) const {
    std::ofstream file(path);
    return static_cast<bool>(file << weight << std::flush);
  }
};

/// Trains until step 500, a request to stop, or `vanish_at`.
void train(int vanish_at, int stop_at) {
  tt::Interruption notice({.file = "stop"});  // SIGTERM, SIGINT, SIGUSR1, or a file that appears
  tt::StopSignal stop = notice.signal();
  tt::Hook hook("runs/resume", {.save = tt::every(1), .checkpoint_dir = "checkpoints", .stop = stop});
  tt::CheckpointFiles checkpoints("checkpoints");  // named by step; the last three are kept
  Model model;
  const auto save = [&] {
    return checkpoints.save(hook.global_step(), [&](const std::string& path) { return model.save(path); });
  };
  if (const auto& at = hook.resumed()) {
    model.load(at->checkpoint);
    std::cout << "resumed after step " << at->step << '\n';
  }
  while (hook.next_step() < 500 && !hook.interrupted()) {
    hook.begin_step();
    hook.save("loss", model.train_step());
    if (hook.step() % 100 == 99) hook.commit(save());
    if (hook.step() == vanish_at) return;  // what was saved after step 199 will be set aside
    if (hook.step() == stop_at) stop.request(tt::StopReason::user);
  }
  if (hook.interrupted())
    hook.commit(save());  // no end marker: the run waits for its successor
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
