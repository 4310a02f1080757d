// Follows a run while another thread, or another process, writes it, and reports what a rule finds.
//
// The trial waits for the run to appear. evaluate() judges each step once, as soon as it is complete, and returns when
// the run has ended; it continues across interruptions. The same call judges a run that has ended.
#include <chrono>
#include <iostream>
#include <tensortap/tensortap.hpp>
#include <thread>
#include <vector>

namespace tt = tensortap;
using namespace std::chrono_literals;

/// A training whose gradients get smaller in each step.
void train() {
  const tt::VanishingGradient rule{.save = tt::every(1)};
  tt::Hook hook("runs/follow", {.collections = tt::required_by({rule})});
  std::vector<float> gradient(100, 1);
  for (int i = 0; i < 20; ++i) {
    hook.begin_step();
    for (float& g : gradient) g *= 0.4F;
    hook.save("gradient/weight", gradient);
    std::this_thread::sleep_for(20ms);
  }
  hook.close();
}

int main() {
  std::thread training(train);
  const tt::Trial live("runs/follow", {.follow = true, .wait_for_run = 60s, .poll_interval = 50ms});
  const auto verdict = tt::evaluate(live, {tt::VanishingGradient{.threshold = 1e-7}},
                                    {.follow = true, .timeout = 60s, .on_finding = tt::Print{std::cout}});
  training.join();
  std::cout << verdict.findings.size() << " findings in " << live.steps().size() << " steps\n";
}
