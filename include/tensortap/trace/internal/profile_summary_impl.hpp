// The body of profile_summary.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/internal/machine_samples.hpp>
#include <tensortap/trace/internal/traced_steps.hpp>
#include <tensortap/trace/profile_summary.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline PhaseTimes times_of(const TracedEvents& events) {
  PhaseTimes out{.phase = events.front()->phase, .node = events.front()->node, .count = events.size()};
  std::vector<double> durations;
  durations.reserve(events.size());
  for (const TraceEvent* const event : events) durations.push_back(static_cast<double>(event->duration));
  std::sort(durations.begin(), durations.end());
  for (const double duration : durations) out.total += duration;
  out.mean = mean_of(durations);
  out.median = quantile_of_sorted(durations, 0.5);
  out.p95 = quantile_of_sorted(durations, 0.95);
  out.max = durations.back();
  return out;
}

/// Returns the time of `steps` in which none of `others` is going on.
inline double time_outside(const TracedEvents& steps, const TracedEvents& others) {
  std::vector<std::pair<std::int64_t, std::int64_t>> inside;  // apart from each other
  for (const TraceEvent* const event : others) {
    const std::int64_t end = event->start + event->duration;
    if (!inside.empty() && event->start <= inside.back().second)
      inside.back().second = std::max(inside.back().second, end);
    else
      inside.emplace_back(event->start, end);
  }
  double outside = 0;
  for (const TraceEvent* const step : steps) {
    const std::int64_t end = step->start + step->duration;
    outside += static_cast<double>(step->duration);
    auto at =
        std::partition_point(inside.begin(), inside.end(), [&](const auto& one) { return one.second <= step->start; });
    for (; at != inside.end() && at->first < end; ++at)
      outside -= static_cast<double>(std::min(at->second, end) - std::max(at->first, step->start));
  }
  return outside;
}

inline StepTimes step_times_of(const TracedEvents& steps, const TracedEvents& others) {
  constexpr std::size_t most_slow = 10;
  constexpr double deviations = 3;  // as StepOutlier
  StepTimes out{.times = times_of(steps), .outside = time_outside(steps, others)};
  out.limit = outlier_limit(steps, out.times.mean, deviations);
  for (const TraceEvent* const step : steps)
    if (static_cast<double>(step->duration) > out.limit)
      out.slowest.push_back({step->step, step->start, step->duration});
  out.outliers = out.slowest.size();
  std::stable_sort(out.slowest.begin(), out.slowest.end(),
                   [](const auto& a, const auto& b) { return a.duration > b.duration; });
  out.slowest.resize(std::min(out.slowest.size(), most_slow));
  return out;
}

inline MetricValues values_of(const SystemMetric& metric, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {.node = metric.node,
          .type = metric.type,
          .name = metric.name,
          .dimension = metric.dimension,
          .samples = values.size(),
          .mean = mean_of(values),
          .min = values.front(),
          .p50 = quantile_of_sorted(values, 0.5),
          .p95 = quantile_of_sorted(values, 0.95),
          .p99 = quantile_of_sorted(values, 0.99),
          .max = values.back()};
}

}  // namespace detail

TENSORTAP_INLINE ProfileSummary summarize(const Timeline& timeline) {
  std::map<std::pair<std::string_view, std::string_view>, detail::TracedEvents> phases;  // by process and phase
  std::map<std::pair<std::string_view, std::int64_t>, detail::TracedEvents> others;      // by process and thread
  std::map<std::string_view, double> step_time;                                          // by process
  for (const TraceEvent& event : timeline.events) {
    phases[{event.node, event.phase}].push_back(&event);
    if (detail::is_step(event))
      step_time[event.node] += static_cast<double>(event.duration);
    else
      others[{event.node, event.thread}].push_back(&event);
  }
  ProfileSummary out;
  for (const auto& [place, events] : phases) {
    out.phases.push_back(detail::times_of(events));
    if (const auto all = step_time.find(place.first); all != step_time.end() && all->second > 0)
      out.phases.back().share = 100 * out.phases.back().total / all->second;
    if (!detail::is_step(*events.front())) continue;
    out.steps.push_back(detail::step_times_of(events, others[{place.first, events.front()->thread}]));
    out.steps.back().times.share = out.phases.back().share;
  }
  std::stable_sort(out.phases.begin(), out.phases.end(),
                   [](const PhaseTimes& a, const PhaseTimes& b) { return a.total > b.total; });

  using Part = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>;
  std::map<Part, std::pair<const SystemMetric*, std::vector<double>>> metrics;
  for (const SystemMetric& metric : timeline.metrics) {
    auto& [first, values] = metrics[{metric.node, metric.type, metric.dimension, metric.name}];
    if (first == nullptr) first = &metric;
    values.push_back(metric.value);
  }
  for (auto& [part, all] : metrics) out.metrics.push_back(detail::values_of(*all.first, std::move(all.second)));
  return out;
}

TENSORTAP_END_NAMESPACE
