// Where a resumed run goes on.
//
//   if (const auto& at = hook.resumed()) load(model, at->checkpoint);
#pragma once

#include <cstdint>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Where a resumed run goes on: after this step, from this checkpoint.
struct Resumed {
  Mode mode = Mode::train;
  std::int64_t step = -1;  ///< of `mode`
  std::int64_t global_step = -1;
  std::string checkpoint = {};  ///< its path, below checkpoint_dir; empty if none was named
  std::int64_t run = 0;         ///< the attempt that goes on: 1 for the first successor
};

TENSORTAP_END_NAMESPACE
