// The smallest training for the tests of the hook.
#pragma once

#include <tensortap/capture/hook.hpp>

/// Saves "x" in each of the next `steps` steps.
inline void train_steps(tensortap::Hook& hook, int steps) {
  for (int i = 0; i < steps; ++i) {
    hook.begin_step();
    hook.save("x", hook.global_step());
  }
}
