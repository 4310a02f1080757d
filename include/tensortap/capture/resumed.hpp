// The place at which a resumed run continues.
//
//   if (const auto& at = hook.resumed()) model.load(at->checkpoint);
#pragma once

#include <cstdint>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The last commit of a run: the next attempt continues after its step, from its checkpoint.
struct Resumed {
  std::int64_t step = -1;          ///< the last TRAIN step; -1: there was none
  std::int64_t eval_step = -1;     ///< the last EVAL step; -1: there was none
  std::int64_t predict_step = -1;  ///< the last PREDICT step; -1: there was none
  std::int64_t global_step = -1;   ///< the last step among all; -1: there was none
  std::string checkpoint = {};     ///< its path, below checkpoint_dir; empty if the commit named none
  std::int64_t attempt = 0;        ///< the number of the attempt that continues: 1 for the first successor
};

TENSORTAP_END_NAMESPACE
