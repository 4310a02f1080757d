#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/trace.hpp>
#include <vector>

#include "commands.hpp"
#include "output_file.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

void print_times(const tt::Timeline& timeline, std::ostream& out) {
  const tt::ProfileSummary summary = tt::summarize(timeline);
  nlohmann::ordered_json root{{"phases", nlohmann::ordered_json::array()},
                              {"metrics", nlohmann::ordered_json::array()}};
  for (const tt::PhaseTimes& times : summary.phases)
    root["phases"].push_back({{"node", times.node},
                              {"phase", times.phase},
                              {"count", times.count},
                              {"total_us", times.total},
                              {"median_us", times.median},
                              {"p95_us", times.p95},
                              {"max_us", times.max}});
  for (const tt::MetricValues& metric : summary.metrics)
    root["metrics"].push_back({{"node", metric.node},
                               {"name", metric.name},
                               {"dimension", metric.dimension},
                               {"samples", metric.samples},
                               {"mean", metric.mean},
                               {"min", metric.min},
                               {"p50", metric.p50},
                               {"p95", metric.p95},
                               {"p99", metric.p99},
                               {"max", metric.max}});
  root["damaged_lines"] = timeline.damaged_lines;
  out << root.dump() << '\n';
}

void print_table(const tt::Timeline& timeline, std::ostream& out) {
  const tt::ProfileSummary summary = tt::summarize(timeline);
  out << std::left << std::setw(28) << "phase" << std::right << std::setw(9) << "count" << std::setw(12) << "total s"
      << std::setw(12) << "median ms" << std::setw(12) << "p95 ms" << std::setw(12) << "max ms"
      << "  process\n"
      << std::fixed << std::setprecision(3);
  for (const tt::PhaseTimes& times : summary.phases)
    out << std::left << std::setw(28) << tt::escaped(times.phase) << std::right << std::setw(9) << times.count
        << std::setw(12) << times.total / 1e6 << std::setw(12) << times.median / 1e3 << std::setw(12) << times.p95 / 1e3
        << std::setw(12) << times.max / 1e3 << "  " << tt::escaped(times.node) << '\n';
  if (summary.metrics.empty()) return;
  out << '\n' << std::left << std::setw(28) << "metric" << std::right << std::setw(9) << "samples";
  for (const char* const head : {"mean", "min", "p50", "p95", "p99", "max"}) out << std::setw(12) << head;
  out << "  machine\n";
  for (const tt::MetricValues& metric : summary.metrics) {
    out << std::left << std::setw(28) << tt::escaped(metric.name + (metric.name.empty() ? "" : " ") + metric.dimension)
        << std::right << std::setw(9) << metric.samples;
    for (const double value : {metric.mean, metric.min, metric.p50, metric.p95, metric.p99, metric.max})
      out << std::setw(12) << value;
    out << "  " << tt::escaped(metric.node) << '\n';
  }
}

int judge(const tt::Timeline& timeline, bool json, std::ostream& out) {
  const std::vector<tt::ProfileFinding> findings = tt::judge_profile(timeline);
  for (const tt::ProfileFinding& found : findings)
    if (json)
      out << nlohmann::ordered_json{{"rule", found.rule},    {"subject", found.subject}, {"first_us", found.first},
                                    {"last_us", found.last}, {"value", found.value},     {"threshold", found.threshold},
                                    {"times", found.times},  {"message", found.message}}
                 .dump()
          << '\n';
    else
      out << found.rule << ": " << found.message << '\n';
  if (findings.empty() && !json)
    out << "no findings in " << plural(timeline.events.size(), "event") << " and "
        << plural(timeline.metrics.size(), "metric") << '\n';
  return findings.empty() && timeline.damage.empty() ? 0 : 1;
}

}  // namespace

int trace(const std::string& place, const Trace& how, std::ostream& out) {
  const tt::Timeline timeline = tt::read_run_timeline(*tt::open_store(place));
  for (const tt::Damage& one : timeline.damage) std::cerr << "damaged: " << one.where << ": " << one.cause << '\n';
  if (timeline.events.empty() && timeline.metrics.empty() && timeline.damage.empty())
    throw std::runtime_error("trace: " + tt::in_quotes(place) +
                             ": no trace is there; name a run that was traced, the directory of a Tracer, or LocalPath "
                             "of profilerconfig.json");
  if (how.rules) return judge(timeline, how.json, out);
  const std::string& merged = how.file;
  if (merged == "-") {
    tt::write_merged_timeline(timeline, out);
  } else if (!merged.empty()) {
    OutputFile file(merged);
    tt::write_merged_timeline(timeline, file.stream());
    file.publish();
    out << tt::escaped(merged) << ": " << plural(timeline.events.size(), "event") << ", "
        << plural(timeline.metrics.size(), "metric") << '\n';
  } else if (how.json) {
    print_times(timeline, out);
  } else {
    print_table(timeline, out);
  }
  return timeline.damage.empty() ? 0 : 1;
}

}  // namespace tensortap_command
