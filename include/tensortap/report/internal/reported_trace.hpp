// What a report says of the trace of a run: the tables of the profiler, and curves over time in bounded memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/bounded_series.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/trace/profile_rules.hpp>
#include <tensortap/trace/profile_summary.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What a page holds of a trace at most.
struct TraceLimits {
  static constexpr std::size_t rows = 128;            // of a table
  static constexpr std::size_t curves = 48;           // of steps, and of loads
  static constexpr std::size_t parts_of_a_kind = 4;   // of a machine that have a curve each; else their mean has one
  static constexpr std::size_t entries = 512;         // of a curve while it is collected
  static constexpr std::size_t page_entries = 12000;  // of all curves of steps, and of all loads
};

/// Cuts a list to the size of a table.
template <class T>
std::size_t cut(std::vector<T>& list, std::size_t most) {
  const std::size_t beyond = list.size() - std::min(list.size(), most);
  list.resize(list.size() - beyond);
  return beyond;
}

/// The values of one part of a machine, or the means of several, over time.
class LoadSeries {
 public:
  /// Values of one time come one after the other.
  void add(std::int64_t time, double value) {
    if (count_ > 0 && time != time_) flush();
    time_ = time;
    sum_ += value;
    ++count_;
  }

  [[nodiscard]] const BoundedSeries& finish() {
    if (count_ > 0) flush();
    return means_;
  }

 private:
  void flush() {
    means_.add(time_, sum_ / static_cast<double>(count_));
    sum_ = 0;
    count_ = 0;
  }

  BoundedSeries means_{TraceLimits::entries};
  std::int64_t time_ = 0;
  double sum_ = 0;
  std::size_t count_ = 0;
};

/// Makes what a report says of one timeline.
class TraceReporter {
 public:
  TraceReporter(const Timeline& timeline, std::size_t most_entries) : timeline_(timeline), most_(most_entries) {}

  /// Adds what is beyond the size of a page to `left_out`.
  [[nodiscard]] ReportedTrace report(std::size_t& left_out) {
    find_times();
    out_.summary = summarize(timeline_);
    left_out += cut(out_.summary.phases, TraceLimits::rows) + cut(out_.summary.metrics, TraceLimits::rows) +
                cut(out_.summary.steps, TraceLimits::curves);
    add_steps();
    add_loads(left_out);
    out_.rules = profile_rule_results(timeline_);
    for (ProfileRuleResult& rule : out_.rules) left_out += cut(rule.findings, TraceLimits::rows);
    std::stable_sort(out_.rules.begin(), out_.rules.end(),
                     [](const auto& a, const auto& b) { return a.times > b.times; });
    out_.damaged_lines = timeline_.damaged_lines;
    out_.unfinished = timeline_.unfinished;
    return std::move(out_);
  }

 private:
  void find_times() {
    std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = std::numeric_limits<std::int64_t>::min();
    for (const TraceEvent& event : timeline_.events) {
      begin = std::min(begin, event.start);
      end = std::max(end, event.start + event.duration);
    }
    for (const SystemMetric& metric : timeline_.metrics) {
      begin = std::min(begin, metric.time);
      end = std::max(end, metric.time);
    }
    if (begin > end) return;
    out_.begin = begin;
    out_.end = end;
  }

  /// Returns the entries that each of `curves` may have.
  [[nodiscard]] std::size_t share_of(std::size_t curves) const {
    return std::clamp<std::size_t>(TraceLimits::page_entries / std::max<std::size_t>(curves, 1), 16, most_);
  }

  static ReportedTrace::Curve curve_of(const BoundedSeries& series, std::size_t most) {
    ReportCurve written;
    series.write_to(written, most);
    return {.times = std::move(written.steps),
            .min = std::move(written.min),
            .max = std::move(written.max),
            .points = written.points,
            .points_per_entry = written.points_per_entry};
  }

  /// Adds the durations of steps, in the order of the summary.
  void add_steps() {
    std::map<std::pair<std::string_view, std::string_view>, BoundedSeries> series;
    for (const StepTimes& steps : out_.summary.steps)
      series.try_emplace({steps.times.node, steps.times.phase}, TraceLimits::entries);
    for (const TraceEvent& event : timeline_.events)
      if (const auto found = series.find({event.node, event.phase}); found != series.end())
        found->second.add(event.start, static_cast<double>(event.duration));
    for (const StepTimes& steps : out_.summary.steps)
      out_.steps.push_back(curve_of(series.at({steps.times.node, steps.times.phase}), share_of(series.size())));
  }

  /// Adds how busy the machines were.
  void add_loads(std::size_t& left_out) {
    using Kind = std::tuple<std::string_view, std::string_view, std::string_view>;  // dimension, type, machine
    std::map<Kind, std::set<std::string_view>> parts;
    for (const SystemMetric& metric : timeline_.metrics)
      parts[{metric.dimension, metric.type, metric.node}].insert(metric.name);
    std::map<std::pair<Kind, std::string>, LoadSeries> series;
    for (const SystemMetric& metric : timeline_.metrics) {
      const Kind kind(metric.dimension, metric.type, metric.node);
      const std::size_t count = parts.at(kind).size();
      const std::string name = count > TraceLimits::parts_of_a_kind ? "mean of " + std::to_string(count) : metric.name;
      series[{kind, name}].add(metric.time, metric.value);
    }
    const std::size_t share = share_of(std::min(series.size(), TraceLimits::curves));
    for (auto& [place, one] : series) {
      if (out_.loads.size() == TraceLimits::curves) {
        ++left_out;
        continue;
      }
      const auto& [dimension, type, node] = place.first;
      out_.loads.push_back({.node = std::string(node),
                            .name = place.second,
                            .dimension = std::string(dimension),
                            .curve = curve_of(one.finish(), share)});
    }
  }

  const Timeline& timeline_;
  std::size_t most_;
  ReportedTrace out_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
