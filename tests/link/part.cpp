// A library that uses tensortap inside and shows none of it: two_versions_test.py compiles it with two versions.
#include <tensortap/capture/hook.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/trial/trial.hpp>

#define JOINED(a, b) a##b
#define NAME(part, name) JOINED(part, name)

extern "C" {
/// Writes a run of three steps with the losses 1, 2 and 3.
int NAME(PART, _write)(const char* path);
/// Returns the sum of the losses of a run, or -1.
double NAME(PART, _read)(const char* path);
/// Returns the address of an object that a program has once for each version.
const void* NAME(PART, _object)();
}

int NAME(PART, _write)(const char* path) try {
  tensortap::Hook hook(path, {.save = tensortap::every(1)});
  for (const float loss : {1.0F, 2.0F, 3.0F}) {
    hook.begin_step();
    hook.save("loss", loss);
  }
  hook.close();
  return 0;
} catch (const tensortap::Error&) {
  return 1;
}

double NAME(PART, _read)(const char* path) try {
  const tensortap::Trial trial(path);
  const auto tensor = trial.tensor("loss");
  double sum = 0;
  for (const auto step : tensor.steps()) sum += tensor.value(step)->number(0);
  return trial.ended() ? sum : -1;
} catch (const tensortap::Error&) {
  return -1;
}

const void* NAME(PART, _object)() { return tensortap::all_modes.data(); }
