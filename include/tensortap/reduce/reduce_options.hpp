// Options of the reductions.
//
//   const double norm = tensortap::l2(gradient, {.threads = 2});
#pragma once

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Options of a reduction. None changes the result.
struct ReduceOptions {
  /// The number of threads that read large tensors, the calling one included.
  int threads = 1;
};

TENSORTAP_END_NAMESPACE
