// A part of a run that cannot be read. The trial continues without it, and tries to read it again at the next request.
//
//   for (const tensortap::Damage& damage : trial.damage()) std::cerr << damage.where << ": " << damage.cause << '\n';
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A part of a run that cannot be read. Both texts are safe to print.
struct Damage {
  std::string where;  ///< an object's key, or a tensor and its step
  std::string cause;
};

TENSORTAP_END_NAMESPACE
