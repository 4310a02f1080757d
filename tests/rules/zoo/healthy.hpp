// Trainings that learn, among them those that a hasty rule takes for broken.
#pragma once

#include <string>
#include <vector>

#include "random.hpp"
#include "spec.hpp"

namespace zoo {

/// Draws a task, an architecture, an optimiser and what is saved, such that the training should learn.
/// `tasks`: the names to choose from.
Spec draw_healthy(Random& random, const std::vector<std::string>& tasks);

/// Sets what is saved, and limits it to a few megabytes. Call it last.
void choose_saving(Spec& spec, Random& random);

/// The same, of shorter and longer trainings that save less, and less often: some the losses alone.
void choose_thin_saving(Spec& spec, Random& random);

/// A property of healthy trainings that looks like a fault.
struct Trap {
  std::string name;
  std::vector<std::string> tasks;  ///< the only tasks that have it; empty: all
  void (*apply)(Spec&, Random&);
};

const std::vector<Trap>& traps();

}  // namespace zoo
