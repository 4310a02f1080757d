// The smallest training for the tests of the hook.
#pragma once

#include <string>
#include <vector>

#include <tensortap/capture/hook.hpp>
#include <tensortap/store/store.hpp>

/// Saves "x" in each of the next `steps` steps.
inline void train_steps(tensortap::Hook& hook, int steps) {
  for (int i = 0; i < steps; ++i) {
    hook.begin_step();
    hook.save("x", hook.global_step());
  }
}

/// Saves a checkpoint of this name and commits it.
inline void commit(tensortap::Hook& hook, tensortap::Store& checkpoints, const std::string& name) {
  checkpoints.put(name, "at " + std::to_string(hook.global_step()));
  hook.commit(name);
}

/// Returns the keys of a store, sorted.
inline std::vector<std::string> keys(const tensortap::Store& store, const std::string& prefix) {
  std::vector<std::string> out;
  for (const auto& object : store.list(prefix)) out.push_back(object.key);
  return out;
}
