// The ways in which trainings are broken.
#pragma once

#include <string>
#include <vector>

#include "random.hpp"
#include "spec.hpp"

namespace zoo {

struct Fault {
  std::string cause;
  std::vector<std::string> tasks;   ///< the only tasks where it matters; empty: all
  void (*prepare)(Spec&, Random&);  ///< makes a place for the fault, in the healthy twin too
  void (*apply)(Spec&, Random&);    ///< the fault
  bool by_definition = false;       ///< broken whatever the outcome: the run has values that are not finite
};

const std::vector<Fault>& faults();

}  // namespace zoo
