// The phases of a training: parts of its loop whose times are of interest. A PhaseSink takes them; Tracer, in
// <tensortap/trace.hpp>, writes them.
//
//   tensortap::Hook hook("runs/42", {.phases = std::make_shared<tensortap::Tracer>("runs/42/profiler")});
//   { const auto phase = hook.phase("Forward"); std::cout << "this is timed\n"; }
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What else is known of a phase. Lifetime: the characters of the name stay; it is a literal.
struct PhaseNumber {
  std::string_view name;
  std::int64_t value = 0;
};

/// A part of a training that has ended.
struct Phase {
  using Clock = std::chrono::steady_clock;

  std::string_view name;
  Clock::time_point begin, end;
  Mode mode = Mode::train;
  std::int64_t step = -1;  ///< of its mode; -1: before the first one
  bool is_step = false;    ///< this is the whole step, and `name` is empty
  std::span<const PhaseNumber> numbers = {};
};

/// What takes phases. Its functions are called while training waits.
class PhaseSink {
 public:
  PhaseSink() = default;
  PhaseSink(const PhaseSink&) = delete;
  PhaseSink& operator=(const PhaseSink&) = delete;
  virtual ~PhaseSink() = default;

  /// Takes `phase`. Never throws, never blocks. Threads: any.
  virtual void add(const Phase& phase) noexcept = 0;
};

/// A phase from its construction to its destruction. Costs two readings of the clock and a call of the sink; without a
/// sink nothing. Lifetime: the sink, and the characters of the name, outlive it.
class [[nodiscard]] PhaseScope {
 public:
  PhaseScope(PhaseSink* sink, std::string_view name, Mode mode, std::int64_t step) noexcept : sink_(sink) {
    if (sink_ == nullptr) return;
    phase_.name = name;
    phase_.mode = mode;
    phase_.step = step;
    phase_.begin = Phase::Clock::now();
  }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;
  ~PhaseScope() {
    if (sink_ == nullptr) return;
    phase_.end = Phase::Clock::now();
    sink_->add(phase_);
  }

 private:
  PhaseSink* sink_;
  Phase phase_ = {};
};

TENSORTAP_END_NAMESPACE
