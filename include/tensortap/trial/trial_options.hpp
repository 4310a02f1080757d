// How a run is read: once, as it is now, or again and again while it is written.
//
//   tensortap::Trial trial("runs/42", {.follow = true, .wait_for_run = std::chrono::minutes(5)});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The global steps from `begin` to before `end`; without an end, all from `begin`.
struct StepRange {
  std::int64_t begin = 0;
  std::optional<std::int64_t> end = {};

  [[nodiscard]] bool contains(std::int64_t step) const noexcept { return step >= begin && (!end || step < *end); }
};

/// How a trial reads its run.
struct TrialOptions {
  using Clock = std::chrono::steady_clock;

  // ---- What is read, and when

  /// True: queries refresh the trial. False: the trial shows the run as of its construction or its last refresh.
  bool follow = false;
  /// The shortest time between two refreshes by queries.
  std::chrono::nanoseconds refresh_interval = std::chrono::milliseconds(500);
  /// How long the constructor waits for the run to exist.
  std::chrono::nanoseconds wait_for_run = std::chrono::nanoseconds::zero();
  /// Steps outside this range are not read: to the trial they do not exist.
  StepRange range_steps = {};

  // ---- Waits

  /// The time between two refreshes during a wait.
  std::chrono::nanoseconds poll_interval = std::chrono::milliseconds(500);
  /// How long a run of several workers stays open after its end marker, if some workers have not written all steps.
  /// smdebug writes the marker when the first worker closes.
  std::chrono::nanoseconds end_delay = std::chrono::seconds(1);
  /// Ends every wait.
  StopSignal stop = {};

  // ---- For tests

  /// Returns the time. Empty: the system's steady clock. Threads: those that query.
  std::function<Clock::time_point()> clock = {};
  /// Sleeps between two refreshes during a wait. Empty: the system's sleep. Threads: those that wait.
  std::function<void(std::chrono::nanoseconds)> sleep = {};
};

/// Whether a step can be read.
enum class StepState : std::uint8_t {
  available,          ///< all workers have written it, or will not write it any more
  unavailable,        ///< it cannot appear: later steps are complete, or the run has ended
  not_yet_available,  ///< it may still be written
};

/// The start of a new attempt: its predecessor was interrupted, and the steps beyond the last commit do not count.
struct Rewind {
  std::string worker;
  std::int64_t attempt = 0;         ///< the number of the new attempt
  std::int64_t resumed_at = -1;     ///< the last global step of earlier attempts that counts
  std::vector<std::int64_t> steps;  ///< the global steps that the trial showed and that are gone; ascending
};

/// What a refresh has found.
struct Changes {
  std::vector<std::int64_t> steps;  ///< global steps with new data; ascending
  std::vector<Rewind> rewinds;      ///< in order
  bool ended = false;               ///< the run has ended since the previous refresh

  [[nodiscard]] bool empty() const noexcept { return steps.empty() && rewinds.empty() && !ended; }
};

TENSORTAP_END_NAMESPACE
