// Tells a sink of phases when each step begins and ends.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Without a sink it does nothing. Threads: the loop's, except for `sink`.
class StepPhases {
 public:
  explicit StepPhases(std::shared_ptr<PhaseSink> sink) : sink_(std::move(sink)) {}
  StepPhases(const StepPhases&) = delete;
  StepPhases& operator=(const StepPhases&) = delete;
  ~StepPhases() { end(); }

  [[nodiscard]] PhaseSink* sink() const noexcept { return sink_.get(); }

  /// Ends the step before, and begins `step` at the same moment.
  void begin(const Step& step) noexcept {
    if (sink_ == nullptr) return;
    const auto now = Phase::Clock::now();
    end_at(now);
    open_ = {.name = {}, .begin = now, .end = now, .mode = step.mode, .step = step.mode_step, .is_step = true};
  }

  void end() noexcept {
    if (open_) end_at(Phase::Clock::now());
  }

 private:
  void end_at(Phase::Clock::time_point now) noexcept {
    if (!open_) return;
    open_->end = now;
    sink_->add(*open_);
    open_.reset();
  }

  const std::shared_ptr<PhaseSink> sink_;
  std::optional<Phase> open_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
