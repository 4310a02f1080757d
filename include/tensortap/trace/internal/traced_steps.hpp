// The whole steps among the events of a trace.
#pragma once

#include <cmath>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

using TracedEvents = std::vector<const TraceEvent*>;  // by start

/// Returns whether an event is a whole step, as smdebug and Tracer name it.
inline bool is_step(const TraceEvent& event) { return event.phase.starts_with("Step"); }

/// Returns the duration above which a step is an outlier: `mean`, that of all, and so many standard deviations.
inline double outlier_limit(const TracedEvents& steps, double mean, double deviations) {
  double squares = 0;
  for (const TraceEvent* const step : steps) squares += std::pow(static_cast<double>(step->duration) - mean, 2);
  return mean + deviations * std::sqrt(squares / static_cast<double>(steps.size()));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
