// How a tensor is reduced.
//
//   const double norm = tensortap::l2(gradient, {.threads = 2});
#pragma once

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How a tensor is reduced. No option changes the result.
struct ReduceOptions {
  /// How many threads read large tensors, the calling one included.
  int threads = 1;
};

TENSORTAP_END_NAMESPACE
