// The text of losses.
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/trial/losses.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string to_string(const RunLosses& losses) {
  std::string out = std::to_string(losses.steps) + " steps and " + std::to_string(losses.tensors) + " tensors (" +
                    std::to_string(losses.bytes) + " bytes) were lost, in steps " + std::to_string(losses.first_step) +
                    " to " + std::to_string(losses.last_step);
  if (!losses.error.empty()) out += ": " + losses.error;
  return out;
}

TENSORTAP_END_NAMESPACE
