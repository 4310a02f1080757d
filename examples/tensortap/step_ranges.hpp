// Ranges of steps.
#pragma once

#include <cstdint>
#include <limits>
#include <tensortap/trial/trial_options.hpp>

namespace tensortap_command {

/// Returns the range that has one step.
inline tensortap::StepRange only_step(std::int64_t step) {
  tensortap::StepRange out{.begin = step};
  if (step < std::numeric_limits<std::int64_t>::max()) out.end = step + 1;
  return out;
}

}  // namespace tensortap_command
