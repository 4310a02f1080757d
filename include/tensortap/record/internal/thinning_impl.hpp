// The text of a thinning.
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string to_string(const Thinning& thinning) {
  return std::string(to_string(thinning.detail)) + " of " + std::to_string(thinning.saved) + " steps, nothing of " +
         std::to_string(thinning.passed_over) + " steps, in steps " + std::to_string(thinning.first_step) + " to " +
         std::to_string(thinning.last_step);
}

TENSORTAP_END_NAMESPACE
