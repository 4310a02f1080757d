#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/trace.hpp>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "output_file.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

/// The durations of one phase in one process. Units: microseconds.
struct PhaseTimes {
  std::string phase, node;
  std::vector<std::int64_t> durations;  // ascending
  std::int64_t total = 0;

  [[nodiscard]] std::int64_t quantile(double q) const {
    return durations[static_cast<std::size_t>(q * static_cast<double>(durations.size() - 1))];
  }
};

std::vector<PhaseTimes> times_in(const tt::Timeline& timeline) {
  std::map<std::pair<std::string, std::string>, PhaseTimes> found;
  for (const tt::TraceEvent& event : timeline.events) {
    PhaseTimes& times = found[{event.node, event.phase}];
    times.durations.push_back(event.duration);
    times.total += event.duration;
  }
  std::vector<PhaseTimes> out;
  for (auto& [key, times] : found) {
    std::sort(times.durations.begin(), times.durations.end());
    times.node = key.first;
    times.phase = key.second;
    out.push_back(std::move(times));
  }
  std::stable_sort(out.begin(), out.end(), [](const PhaseTimes& a, const PhaseTimes& b) { return a.total > b.total; });
  return out;
}

/// The mean and the largest value of each metric.
nlohmann::ordered_json metrics_in(const tt::Timeline& timeline) {
  std::map<std::string, std::pair<std::vector<double>, const tt::SystemMetric*>> found;
  for (const tt::SystemMetric& metric : timeline.metrics) {
    auto& [values, first] = found[metric.node + " " + metric.name + " " + metric.dimension];
    values.push_back(metric.value);
    first = &metric;
  }
  auto out = nlohmann::ordered_json::array();
  for (const auto& [key, all] : found) {
    const auto& [values, metric] = all;
    double sum = 0;
    for (const double value : values) sum += value;
    out.push_back({{"node", metric->node},
                   {"name", metric->name},
                   {"dimension", metric->dimension},
                   {"samples", values.size()},
                   {"mean", sum / static_cast<double>(values.size())},
                   {"max", *std::max_element(values.begin(), values.end())}});
  }
  return out;
}

void print_times(const tt::Timeline& timeline, std::ostream& out) {
  nlohmann::ordered_json root{{"phases", nlohmann::ordered_json::array()}, {"metrics", metrics_in(timeline)}};
  for (const PhaseTimes& times : times_in(timeline))
    root["phases"].push_back({{"node", times.node},
                              {"phase", times.phase},
                              {"count", times.durations.size()},
                              {"total_us", times.total},
                              {"median_us", times.quantile(0.5)},
                              {"p95_us", times.quantile(0.95)},
                              {"max_us", times.durations.back()}});
  root["damaged_lines"] = timeline.damaged_lines;
  out << root.dump() << '\n';
}

void print_table(const tt::Timeline& timeline, std::ostream& out) {
  out << std::left << std::setw(28) << "phase" << std::right << std::setw(9) << "count" << std::setw(12) << "total s"
      << std::setw(12) << "median ms" << std::setw(12) << "p95 ms" << std::setw(12) << "max ms"
      << "  process\n"
      << std::fixed << std::setprecision(3);
  const auto ms = [](std::int64_t time) { return static_cast<double>(time) / 1e3; };
  for (const PhaseTimes& times : times_in(timeline))
    out << std::left << std::setw(28) << tt::escaped(times.phase) << std::right << std::setw(9)
        << times.durations.size() << std::setw(12) << static_cast<double>(times.total) / 1e6 << std::setw(12)
        << ms(times.quantile(0.5)) << std::setw(12) << ms(times.quantile(0.95)) << std::setw(12)
        << ms(times.durations.back()) << "  " << tt::escaped(times.node) << '\n';
  const nlohmann::ordered_json metrics = metrics_in(timeline);
  if (metrics.empty()) return;
  out << '\n'
      << std::left << std::setw(28) << "metric" << std::right << std::setw(9) << "samples" << std::setw(12) << "mean"
      << std::setw(12) << "max"
      << "  machine\n";
  for (const auto& metric : metrics)
    out << std::left << std::setw(28)
        << tt::escaped(metric["name"].get<std::string>() + (metric["name"] == "" ? "" : " ") +
                       metric["dimension"].get<std::string>())
        << std::right << std::setw(9) << metric["samples"].get<std::size_t>() << std::setw(12)
        << metric["mean"].get<double>() << std::setw(12) << metric["max"].get<double>() << "  "
        << tt::escaped(metric["node"].get<std::string>()) << '\n';
}

int judge(const tt::Timeline& timeline, bool json, std::ostream& out) {
  const std::vector<tt::ProfileFinding> findings = tt::judge_profile(timeline);
  for (const tt::ProfileFinding& found : findings)
    if (json)
      out << nlohmann::ordered_json{{"rule", found.rule},      {"subject", found.subject},
                                    {"first_us", found.first}, {"last_us", found.last},
                                    {"value", found.value},    {"threshold", found.threshold},
                                    {"message", found.message}}
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
  const tt::Timeline timeline = tt::read_timeline(*tt::open_store(place));
  for (const tt::Damage& one : timeline.damage) std::cerr << "damaged: " << one.where << ": " << one.cause << '\n';
  if (timeline.events.empty() && timeline.metrics.empty() && timeline.damage.empty())
    throw std::runtime_error(
        "trace: " + tt::in_quotes(place) +
        ": no trace is there; name the directory of a Tracer, or LocalPath of profilerconfig.json");
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
