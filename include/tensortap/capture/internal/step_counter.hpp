// The step numbers of a loop: one count for each mode, and one for all of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the loop's.
class StepCounter {
 public:
  StepCounter() { mode_steps_.fill(-1); }

  [[nodiscard]] Mode mode() const noexcept { return mode_; }
  /// The last step of `mode`; -1 before the first.
  [[nodiscard]] std::int64_t step(Mode mode) const noexcept { return mode_steps_[index_of(mode)]; }
  [[nodiscard]] std::int64_t global_step() const noexcept { return global_step_; }

  /// Returns the next step of `mode`. Throws: it is beyond the limit.
  [[nodiscard]] Step next(Mode mode) const { return within_limit({mode, next_number(mode), global_step_ + 1}); }

  /// Returns the number of the next step of `mode`.
  [[nodiscard]] std::int64_t next_number(Mode mode) const noexcept {
    return (mode == Mode::global ? global_step_ : mode_steps_[index_of(mode)]) + 1;
  }

  /// Returns step `mode_step` of `mode`; in mode global that is the global step. Throws: it does not grow, or is beyond
  /// the limit.
  [[nodiscard]] Step at(Mode mode, std::int64_t mode_step) const {
    if (mode_step <= mode_steps_[index_of(mode)])
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(mode)], mode_step);
    return within_limit({mode, mode_step, mode == Mode::global ? mode_step : global_step_ + 1});
  }

  /// Throws: the global step of `step` does not grow, its mode step shrinks, or one of them is beyond the limit.
  void require_growing(const Step& step) const {
    (void)within_limit(step);
    if (step.global_step <= global_step_)
      throw Error::step_not_growing("the global step", global_step_, step.global_step);
    if (step.mode_step < std::max<std::int64_t>(mode_steps_[index_of(step.mode)], 0))
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(step.mode)], step.mode_step);
  }

  /// Makes `step` the current one.
  void set(const Step& step) noexcept {
    mode_ = step.mode;
    global_step_ = step.global_step;
    mode_steps_[index_of(Mode::global)] = step.global_step;
    mode_steps_[index_of(step.mode)] = step.mode_step;
  }

  /// Continues after a commit.
  void resume_after(const State& state) {
    global_step_ = state.last_seen;
    mode_ = state.mode;
    for (std::size_t m = 0; m < mode_steps_.size(); ++m) mode_steps_[m] = state.mode_steps[m].value_or(-1);
    mode_steps_[index_of(Mode::global)] = global_step_;
  }

  /// Returns the state of a commit after the current step, without a checkpoint.
  [[nodiscard]] State state() const {
    State out{.attempt = 0, .last_saved = {}, .last_seen = global_step_, .mode_steps = {}, .mode = mode_};
    for (std::size_t m = 0; m < mode_steps_.size(); ++m)
      if (mode_steps_[m] >= 0) out.mode_steps[m] = mode_steps_[m];
    return out;
  }

 private:
  static const Step& within_limit(const Step& step) {
    if (const std::int64_t larger = std::max(step.mode_step, step.global_step); larger > step_limit)
      throw Error::step_too_large(larger, step_limit);
    return step;
  }

  std::array<std::int64_t, 4> mode_steps_{};  // by mode
  std::int64_t global_step_ = -1;
  Mode mode_ = Mode::train;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
