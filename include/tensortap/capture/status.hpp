// The status of a hook: what it has done so far, and every loss. No loss is silent.
//
//   const tensortap::HookStatus status = hook.status();
//   for (const auto& loss : status.losses) std::cerr << to_string(loss.reason) << ": " << loss.tensors << " tensors\n";
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/capture/flight_recorder.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What was written for TensorBoard. Counts are of points of curves, histograms and texts.
struct TensorBoardStatus {
  std::uint64_t values = 0;               ///< that were written
  std::uint64_t lost = 0;                 ///< for which there was no room in memory while writes failed, or no time
  std::optional<std::string> error = {};  ///< the first failed write; values wait for the next one, if there is room
};

/// What a hook has done so far.
struct HookStatus {
  std::uint64_t steps_saved = 0;       ///< steps that were written
  std::uint64_t records_saved = 0;     ///< records in them: raw tensors and reductions
  std::uint64_t bytes_saved = 0;       ///< bytes of their events files
  std::uint64_t steps_removed = 0;     ///< steps that were removed again, see HookOptions::retention
  std::uint64_t steps_lost = 0;        ///< steps that were not written
  std::uint64_t tensors_lost = 0;      ///< records in them, and single tensors
  std::uint64_t not_reducible = 0;     ///< saves of complex and string tensors whose collection has reductions
  std::uint64_t retries = 0;           ///< writes that were repeated
  std::uint64_t callback_errors = 0;   ///< exceptions out of on_step
  std::uint64_t steps_queued = 0;      ///< steps that wait to be written
  std::uint64_t bytes_queued = 0;      ///< bytes of their elements
  std::chrono::nanoseconds blocked{};  ///< how long training has waited for room in the queue
  HookCost cost;                       ///< what all of this has cost training
  std::vector<Loss> losses;            ///< at most 1000 entries; the last one sums up all further losses
  std::vector<Thinning> thinned;       ///< what `HookOptions::budget` left out; at most 1000 entries, as of losses
  std::optional<std::string> error;    ///< the first failed write
  RecorderStatus recorder;             ///< of the flight recorder
  TensorBoardStatus tensorboard;       ///< of the files for TensorBoard
  std::vector<std::string> notes;  ///< skipped commits, damaged files, collections without tensors, tensors left out
};

TENSORTAP_END_NAMESPACE
