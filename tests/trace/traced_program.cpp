// Twenty steps with two phases, traced, beside a sampler of the machine.
#include <chrono>
#include <memory>
#include <string>
#include <tensortap/trace.hpp>
#include <thread>

namespace tt = tensortap;

int main(int, char** argv) {
  const std::string run = argv[1];
  const auto tracer = std::make_shared<tt::Tracer>(run + "/profiler");
  const tt::SystemSampler sampler(run + "/profiler", {.interval = std::chrono::milliseconds(10)});
  tt::Hook hook(run, {.save = tt::every(5), .phases = tracer});
  for (int i = 0; i < 20; ++i) {
    hook.begin_step();
    {
      const auto phase = hook.phase("Forward");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const auto phase = hook.phase("Backward");
    hook.save("loss", 1.0);
  }
  hook.close();
  tracer->close();
}
