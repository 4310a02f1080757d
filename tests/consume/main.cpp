// A program of a user: writes a run of three steps and reads it back.
#include <cstdio>
#include <filesystem>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;

int main(int, char** arguments) {
  const std::filesystem::path run = std::filesystem::path(arguments[0]) += "_run";
  std::filesystem::remove_all(run);

  tt::Hook hook(run.string(), {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
  for (int i = 0; i < 3; ++i) {
    hook.begin_step();
    hook.save("loss", std::vector<float>{1.0f / static_cast<float>(i + 1)});
  }
  hook.close();

  const tt::Trial trial(run.string());
  std::size_t steps = 0;
  for (const auto& tensor : trial.tensors({.collection = "losses"})) steps += tensor.steps().size();
  std::printf("tensortap %s: read %zu steps\n", tt::version, steps);
  return steps == 3 ? 0 : 1;
}
