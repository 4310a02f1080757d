#include "plan.hpp"

#include <algorithm>

#include "random.hpp"

namespace zoo {

std::vector<Item> make_plan(std::size_t count) {
  std::vector<Item> round;
  std::vector<Item> plan;
  Random random(0, "plan");
  for (std::size_t number = 0; plan.size() < count; ++number) {
    // A round has each fault once, each trap twice, and plain runs.
    round.clear();
    for (const Fault& fault : faults()) round.push_back({.fault = &fault});
    for (const Trap& trap : traps()) round.insert(round.end(), 2, {.trap = &trap});
    round.insert(round.end(), 8, {});
    random.shuffle(round);
    plan.insert(plan.end(), round.begin(), round.end());
  }
  plan.resize(count);
  return plan;
}

bool is_held_out(const Spec& spec) {
  static const std::vector<std::string> tasks = {"circles", "circles-bce", "surface"};
  return std::find(tasks.begin(), tasks.end(), spec.task) != tasks.end() || hash_of(family_of(spec)) % 4 == 0;
}

}  // namespace zoo
