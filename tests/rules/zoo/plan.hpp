// Which runs the zoo has, in which order.
#pragma once

#include <cstddef>
#include <vector>

#include "faults.hpp"
#include "healthy.hpp"

namespace zoo {

/// One run to be made. Without trap and fault it is a plain healthy one.
struct Item {
  const Trap* trap = nullptr;
  const Fault* fault = nullptr;
};

/// Returns `count` items in a mixed order, so that each beginning of the zoo has some of everything.
std::vector<Item> make_plan(std::size_t count);

/// Returns whether runs of this description are only for the final score: all runs of some tasks, and of some families
/// of configurations.
bool is_held_out(const Spec& spec);

}  // namespace zoo
