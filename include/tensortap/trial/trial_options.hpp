// How a run is read: as it is now, or on and on while it is written.
//
//   tensortap::Trial trial("runs/42", {.follow = true, .wait_for_run = std::chrono::minutes(5)});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Global steps from `begin` to before `end`; without an end, all from `begin`.
struct StepRange {
  std::int64_t begin = 0;
  std::optional<std::int64_t> end = {};

  [[nodiscard]] bool contains(std::int64_t step) const noexcept { return step >= begin && (!end || step < *end); }
};

/// How a trial looks at its run.
struct TrialOptions {
  using Clock = std::chrono::steady_clock;

  /// Queries look for what is new by themselves. Else the trial shows the run as it was when it was made, or refreshed.
  bool follow = false;
  /// They do so at most this often.
  std::chrono::nanoseconds refresh_interval = std::chrono::milliseconds(500);
  /// How long the constructor waits for the run to be there.
  std::chrono::nanoseconds wait_for_run = std::chrono::nanoseconds::zero();

  /// What lies outside is not read, and is not there.
  StepRange range_steps = {};

  /// How often waits look.
  std::chrono::nanoseconds poll_interval = std::chrono::milliseconds(500);
  /// How long a run with several workers and an end marker is given for steps that some have not written yet; smdebug's
  /// marker is there when the first of them has closed.
  std::chrono::nanoseconds end_delay = std::chrono::seconds(1);
  /// Ends every wait.
  StopSignal stop = {};
  /// Threads: those that query.
  std::function<Clock::time_point()> clock = [] { return Clock::now(); };
  /// How waits wait. Threads: those that wait.
  std::function<void(std::chrono::nanoseconds)> sleep = [](std::chrono::nanoseconds t) {
    std::this_thread::sleep_for(t);
  };
};

/// Whether a step can be read.
enum class StepState : std::uint8_t {
  available,          ///< it is there, from all workers that will write it
  unavailable,        ///< it is not, and will not be: later steps are there, or the run has ended
  not_yet_available,  ///< it may come
};

/// A new attempt, noticed: an earlier one was interrupted, and what it had saved beyond its last commit is gone.
struct Rewind {
  std::string worker;
  std::int64_t run = 0;             ///< the attempt that goes on
  std::int64_t resumed_at = -1;     ///< after this global step
  std::vector<std::int64_t> steps;  ///< the global steps that were there and went; ascending
};

/// What a refresh found.
struct Changes {
  std::vector<std::int64_t> steps;  ///< global steps of which something new is there; ascending
  std::vector<Rewind> rewinds;      ///< in their order
  bool ended = false;               ///< the run has ended since the refresh before

  [[nodiscard]] bool empty() const noexcept { return steps.empty() && rewinds.empty() && !ended; }
};

TENSORTAP_END_NAMESPACE
