// The trace of a run as JSON, a part of the facts of a report.
#pragma once

#include <cstdint>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/json_writer.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/trace/profile_rules.hpp>
#include <tensortap/trace/profile_summary.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes one trace. Times are seconds after its begin.
class TraceJson {
 public:
  TraceJson(const ReportedTrace& trace, JsonWriter& json) : trace_(trace), json_(json) {}

  void write() {
    json_.open('{').key("began").number(static_cast<double>(trace_.begin) / 1e6, whole_digits);
    json_.key("seconds").number(after(trace_.end), time_digits);
    json_.key("damaged_lines").integer(trace_.damaged_lines).key("unfinished").integer(trace_.unfinished);
    json_.list("phases", trace_.summary.phases, [this](const PhaseTimes& one) {
      json_.open('{');
      add(one);
      json_.close('}');
    });
    auto curve = trace_.steps.begin();
    json_.list("steps", trace_.summary.steps, [&](const StepTimes& one) {
      json_.open('{');
      add(one.times);
      json_.key("outside_us").number(one.outside, whole_digits).key("limit_us").number(one.limit, digits);
      json_.key("outliers").integer(one.outliers);
      json_.list("slowest", one.slowest, [this](const StepTimes::Slow& slow) {
        json_.open('{');
        if (slow.step) json_.key("step").integer(*slow.step);
        json_.key("after").number(after(slow.start), time_digits).key("duration_us").integer(slow.duration).close('}');
      });
      add(*curve++);
      json_.close('}');
    });
    json_.list("metrics", trace_.summary.metrics, [this](const MetricValues& one) { add(one); });
    json_.list("loads", trace_.loads, [this](const ReportedTrace::Load& one) {
      json_.open('{').key("node").text(one.node).key("name").text(one.name).key("dimension").text(one.dimension);
      add(one.curve);
      json_.close('}');
    });
    json_.list("rules", trace_.rules, [this](const ProfileRuleResult& one) { add(one); });
    json_.close('}');
  }

 private:
  static constexpr int digits = 8;
  static constexpr int time_digits = 10;   // microseconds after three hours
  static constexpr int whole_digits = 16;  // all of a time in microseconds

  [[nodiscard]] double after(std::int64_t time) const { return static_cast<double>(time - trace_.begin) / 1e6; }

  void add(const PhaseTimes& one) {
    json_.key("phase").text(one.phase).key("node").text(one.node).key("count").integer(one.count);
    json_.key("total_us").number(one.total, whole_digits);
    if (one.share) json_.key("share").number(*one.share, digits);
    json_.key("mean_us").number(one.mean, digits).key("median_us").number(one.median, digits);
    json_.key("p95_us").number(one.p95, digits).key("max_us").number(one.max, whole_digits);
  }

  void add(const ReportedTrace::Curve& curve) {
    json_.key("points").integer(curve.points).key("points_per_entry").integer(curve.points_per_entry);
    json_.list("times", curve.times, [this](std::int64_t time) { json_.number(after(time), time_digits); });
    const auto number = [this](double x) { json_.number(x, digits); };
    json_.list("min", curve.min, number);
    if (curve.points_per_entry > 1) json_.list("max", curve.max, number);
  }

  void add(const MetricValues& one) {
    json_.open('{').key("node").text(one.node).key("type").text(one.type).key("name").text(one.name);
    json_.key("dimension").text(one.dimension).key("samples").integer(one.samples);
    json_.key("mean").number(one.mean, digits).key("min").number(one.min, digits).key("p50").number(one.p50, digits);
    json_.key("p95").number(one.p95, digits).key("p99").number(one.p99, digits).key("max").number(one.max, digits);
    json_.close('}');
  }

  void add(const ProfileRuleResult& one) {
    json_.open('{').key("rule").text(one.rule).key("condition").text(one.condition).key("times").integer(one.times);
    json_.key("parameters").open('{');
    for (const auto& [name, value] : one.parameters) json_.key(name).number(value, digits);
    json_.close('}');
    json_.list("findings", one.findings, [this](const ProfileFinding& found) {
      json_.open('{').key("subject").text(found.subject).key("message").text(found.message);
      json_.key("value").number(found.value, digits).key("threshold").number(found.threshold, digits);
      json_.key("times").integer(found.times).key("after").number(after(found.first), time_digits);
      json_.key("until").number(after(found.last), time_digits).close('}');
    });
    json_.close('}');
  }

  const ReportedTrace& trace_;
  JsonWriter& json_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
