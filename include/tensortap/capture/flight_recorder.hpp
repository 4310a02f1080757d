// The flight recorder of a hook: it keeps the last steps of some collections in memory although they are not due, and
// writes them as a snapshot when a rule has found something.
//
//   options.recorder = {.steps = 20, .collections = {"gradients", "weights"}, .max_bytes = 256 << 20};
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a flight recorder keeps. A snapshot is a run of its own, below the run of the hook, in
/// `snapshots/STEP_REASON_WORKER`, with its findings beside it in `findings.jsonl`. It holds what the hook would have
/// saved of these collections if they had been due in each step. A collection that is there for the recorder alone has
/// `.save = SaveConfig::never()`.
struct FlightRecorder {
  /// The number of steps of a snapshot: those up to the step of the request. 0: there is no recorder.
  std::int64_t steps = 0;
  /// The names of the hook's collections to keep. Empty: all.
  std::vector<std::string> collections = {};
  /// The limit on its memory. Beyond it, the oldest steps go first, then tensors of the current step are left out; both
  /// are counted. While a snapshot is written, its steps remain in memory besides. Units: bytes.
  std::uint64_t max_bytes = std::uint64_t{64} << 20;
  /// The number of snapshots of one worker in a run, those of earlier attempts included; further ones are counted.
  std::int64_t max_snapshots = 3;
};

/// What became of a flight recorder.
struct RecorderStatus {
  std::uint64_t snapshots_written = 0;  ///< snapshots that are complete; one of an earlier attempt stays as it is
  std::uint64_t snapshots_dropped = 0;  ///< requests beyond `max_snapshots`, or for steps that are not there
  std::uint64_t snapshots_failed = 0;   ///< snapshots that could not be written; `notes` say why
  std::uint64_t steps_dropped = 0;      ///< steps that went early, because of `max_bytes`
  std::uint64_t tensors_dropped = 0;    ///< tensors that were left out, because of `max_bytes` or for want of memory
  std::uint64_t bytes = 0;              ///< its memory now
  std::uint64_t most_bytes = 0;         ///< the largest amount of it so far
  std::uint64_t captures_raised = 0;    ///< requests to save more that have taken effect
};

TENSORTAP_END_NAMESPACE
