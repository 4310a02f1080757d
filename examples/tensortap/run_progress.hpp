// How a run gets on: what `watch` shows of it, read from the run again and again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

namespace tensortap_command {

/// Whether a process writes the run. Of a run in a bucket, or one that smdebug writes, it is not known whether it runs
/// or was interrupted.
enum class RunState : std::uint8_t { running, running_or_interrupted, interrupted, ended };

/// Returns "running", "running or interrupted", "interrupted" or "ended".
const char* to_string(RunState state);

/// A tensor over the steps of a mode, of the first worker.
struct Curve {
  std::string tensor = {};
  tensortap::Mode mode = tensortap::Mode::train;
  std::int64_t step = 0;             // the last one, of the mode
  std::optional<double> value = {};  // in it: the only element, or the mean of the elements
  std::vector<double> points = {};   // values in evenly spaced steps, from the first one on, and the last value
};

/// What a run shows at a moment.
struct RunProgress {
  RunState state = RunState::running_or_interrupted;
  std::size_t attempts = 0;  // 0: unknown
  std::int64_t workers = 1;
  std::size_t modes = 0;
  std::optional<tensortap::Step> step = {};           // the last one that all workers have written
  std::optional<double> age = {};                     // seconds since it was saved
  tensortap::Mode counted = tensortap::Mode::global;  // the mode of the numbers below: TRAIN, if the run has it
  std::optional<std::int64_t> last = {};              // its last step
  std::optional<double> rate = {};                    // steps per second, lately
  std::optional<std::int64_t> total = {};             // how many steps the training has
  std::optional<double> left = {};                    // seconds, while it runs
  std::vector<Curve> curves = {};
  std::size_t more_curves = 0;  // there are, beyond the most that are read
  tensortap::RunLosses lost = {};
  std::vector<tensortap::Thinning> thinned = {};
  tensortap::HookCost cost = {};
  std::size_t damaged = 0;
};

/// Reads the progress of a run. What it has read of a step it does not read again.
class ProgressReader {
 public:
  /// `pattern` finds the tensors whose curves are shown; empty: those of the collections losses and metrics. `total` is
  /// the number of steps of the training; nullopt: a fact of the run such as max_steps may tell. Throws: the pattern is
  /// refused.
  ProgressReader(const tensortap::Trial& trial, std::string run, std::string pattern,
                 std::optional<std::int64_t> total);

  /// Returns the progress as of the last refresh of the trial. Points of curves that cannot be read within `time` are
  /// left to the next call.
  RunProgress read(std::chrono::nanoseconds time);

 private:
  using Values = std::map<std::int64_t, std::optional<double>>;

  void forget_superseded();
  void read_steps(RunProgress& to) const;
  void read_curves(RunProgress& to, tensortap::TrialOptions::Clock::time_point deadline);
  [[nodiscard]] std::vector<tensortap::TensorHistory> shown_tensors() const;

  const tensortap::Trial& trial_;
  const std::string run_, pattern_;
  const std::optional<std::int64_t> total_;
  std::map<std::pair<std::string, tensortap::Mode>, Values> values_;  // by steps of the mode
  std::size_t rewinds_ = 0;
};

}  // namespace tensortap_command
