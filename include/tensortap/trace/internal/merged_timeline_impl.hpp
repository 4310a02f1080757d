// The body of merged_timeline.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/trace/merged_timeline.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes the events of a timeline.
class MergedTimelineWriter {
 public:
  explicit MergedTimelineWriter(std::ostream& out) : out_(out) { out_ << '['; }

  void write(const Timeline& timeline) {
    auto metric = timeline.metrics.begin();
    const auto write_metrics_before = [&](std::int64_t time) {
      while (metric != timeline.metrics.end() && metric->time < time) {
        auto end = metric;
        while (end != timeline.metrics.end() && end->time == metric->time) ++end;
        write_metrics(metric, end);
        metric = end;
      }
    };
    for (const TraceEvent& event : timeline.events) {
      write_metrics_before(event.start);
      write_event(event);
    }
    write_metrics_before(std::numeric_limits<std::int64_t>::max());
    out_ << "\n]\n";
  }

 private:
  using Metric = std::vector<SystemMetric>::const_iterator;

  void write_event(const TraceEvent& event) {
    const std::int64_t process = process_of(event.phase);
    const auto [thread, is_new] =
        threads_.try_emplace({process, event.node, event.thread}, static_cast<std::int64_t>(threads_.size()) + 1);
    const std::string place =
        R"("pid": )" + std::to_string(process) + R"(, "tid": )" + std::to_string(thread->second) + ", ";
    if (is_new)
      write_line(R"("name": "thread_name", "ph": "M", )" + place + R"("args": {"name": )" +
                 json_text::string(event.node + "_" + std::to_string(event.thread)) + "}");
    write_line(R"("name": )" + json_text::string(event.name) + ", " + place + R"("ph": "X", "ts": )" +
               std::to_string(event.start) + R"(, "dur": )" + std::to_string(event.duration) + R"(, "args": )" +
               event.arguments);
  }

  void write_metrics(Metric begin, Metric end) {
    const std::string time = R"("ts": )" + std::to_string(begin->time) + ", ";
    const std::string place = R"("pid": )" + std::to_string(process_of("sys_metrics")) + R"(, "tid": 0, )";
    std::string values;
    bool is_gpu_idle = false;
    for (auto metric = begin; metric != end; ++metric) {
      const std::string name = json_text::string(metric->name + "_" + metric->dimension + "_" + metric->node);
      const std::string value = nlohmann::json(metric->value).dump();
      values.append(values.empty() ? "" : ", ").append(name).append(": ").append(value);
      constexpr double used = 85;  // percent; smdebug's threshold
      is_gpu_idle = is_gpu_idle || (metric->dimension == "GPUUtilization" && metric->value < used);
      std::string line = R"("name": )";
      line.append(name)
          .append(", ")
          .append(place)
          .append(R"("ph": "C", )")
          .append(time)
          .append(R"("args": {"value": )")
          .append(value)
          .append("}");
      write_line(line);
    }
    if (!is_gpu_idle) return;
    const std::string markers = std::to_string(process_of("sys_metrics_bottlenecks"));
    write_line(R"("name": "sys_metrics_bottlenecks", "pid": )" + markers + R"(, "tid": 0, "ph": "i", )" + time +
               R"("s": "t", "args": {)" + values + "}");
  }

  /// Returns the process number of `phase`, and describes it when it is new.
  std::int64_t process_of(const std::string& phase) {
    if (const auto known = processes_.find(phase); known != processes_.end()) return known->second;
    static constexpr std::array<std::pair<std::string_view, std::int64_t>, 10> ranges{{{"Step", 1},
                                                                                       {"Forward", 10000},
                                                                                       {"Backward", 20000},
                                                                                       {"DataIterator", 30000},
                                                                                       {"Dataset", 40000},
                                                                                       {"/device", 50000},
                                                                                       {"/host", 60000},
                                                                                       {"gpu_functions", 70000},
                                                                                       {"cpu_functions", 80000},
                                                                                       {"Horovod", 90000}}};
    std::int64_t range = 1000000;  // of all others
    for (const auto& [prefix, first] : ranges)
      if (phase.starts_with(prefix)) range = first;
    const std::int64_t process = range + used_of_range_[range]++;
    processes_.emplace(phase, process);
    const std::string number = std::to_string(process);
    const auto describe = [&](const char* what, const char* key, const std::string& value) {
      write_line(R"("name": ")" + std::string(what) + R"(", "ph": "M", "pid": )" + number + R"(, "args": {")" + key +
                 R"(": )" + value + "}");
    };
    describe("process_name", "name", json_text::string(phase));
    describe("process_sort_index", "sort_index", number);
    return process;
  }

  /// Writes an object with these `members`.
  void write_line(const std::string& members) {
    out_ << (is_first_ ? "\n{" : ",\n{") << members << '}';
    is_first_ = false;
  }

  std::ostream& out_;
  bool is_first_ = true;
  std::map<std::string, std::int64_t> processes_;       // by phase
  std::map<std::int64_t, std::int64_t> used_of_range_;  // numbers, by the first one
  std::map<std::tuple<std::int64_t, std::string, std::int64_t>, std::int64_t> threads_;
};

}  // namespace detail

TENSORTAP_INLINE void write_merged_timeline(const Timeline& timeline, std::ostream& out) {
  detail::MergedTimelineWriter(out).write(timeline);
}

TENSORTAP_END_NAMESPACE
