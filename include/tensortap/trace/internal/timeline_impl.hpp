// The bodies of timeline.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/internal/json_lines.hpp>
#include <tensortap/trace/internal/trace_file_reader.hpp>
#include <tensortap/trace/internal/trace_keys.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads the files of a trace.
class TimelineReader {
 public:
  TimelineReader(const Store& store, const TimelineQuery& query) : store_(store), query_(query) {}

  Timeline read() {
    for_each_file(trace_keys::events, trace_keys::of_events, [this](const std::string& key, const auto& name) {
      if (!query_.file_suffix.empty() && name.suffix != query_.file_suffix) return DamagedLines();
      if (name.suffix.ends_with(".gz")) return DamagedLines{1, 1, "it is compressed; unpack it with gunzip"};
      return with_text(key, [&](std::string_view text) {
        return TraceFileReader(key, escaped(name.node), query_, out_).read(text);
      });
    });
    for_each_file(trace_keys::metrics, trace_keys::of_metrics, [this](const std::string& key, const auto&) {
      return with_text(key, [&](std::string_view text) {
        const json_text::Place place{"read", key};
        return for_each_json_line(text, key, [&](const nlohmann::json& line) { take_metric(line, place); });
      });
    });
    std::stable_sort(out_.events.begin(), out_.events.end(),
                     [](const TraceEvent& a, const TraceEvent& b) { return a.start < b.start; });
    std::stable_sort(out_.metrics.begin(), out_.metrics.end(),
                     [](const SystemMetric& a, const SystemMetric& b) { return a.time < b.time; });
    return std::move(out_);
  }

 private:
  /// A file is closed with its last event, but the next one may get events that end a little earlier: smdebug's readers
  /// allow for so much, too.
  static constexpr std::int64_t slack = 180'000'000;
  static constexpr std::uint64_t size_limit = std::uint64_t{256} << 20;

  /// Calls `read(key, name)` for each file that may hold events of the query's time.
  template <class Name, class Read>
  void for_each_file(std::string_view prefix, const Name& name_of, const Read& read) {
    std::map<std::string, std::int64_t> previous_ends;  // of each writer's files
    for (const ObjectInfo& object : store_.list(query_.folder + std::string(prefix))) {
      const auto name = name_of(object.key);
      if (!name) {
        out_.damage.push_back({escaped(object.key), "not the name of a trace file"});
        continue;
      }
      const auto [previous, is_first] = previous_ends.try_emplace(name->node + "_" + name->suffix, name->end);
      const bool is_late = !is_first && previous->second - slack > query_.end;
      previous->second = name->end;
      if (is_late || name->end + slack < query_.begin) continue;
      if (object.size > size_limit) {
        out_.damage.push_back({escaped(object.key), "too large (" + std::to_string(object.size) + " bytes)"});
        continue;
      }
      const DamagedLines damaged = read(object.key, *name);
      if (damaged.count == 0) continue;
      out_.damaged_lines += damaged.count;
      out_.damage.push_back({escaped(object.key), "line " + std::to_string(damaged.first) + ": " + damaged.cause +
                                                      " (damaged lines: " + std::to_string(damaged.count) + ")"});
    }
  }

  template <class Read>
  DamagedLines with_text(const std::string& key, const Read& read) {
    const auto bytes = store_.get(key);
    if (!bytes) return {};  // removed meanwhile
    return read(std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  }

  void take_metric(const nlohmann::json& line, const json_text::Place& place) {
    const auto number = [&](std::string_view key) {
      const nlohmann::json& value = json_text::at(line, key, place);
      if (!value.is_number()) throw json_text::wrong(place, key, "it is not a number");
      return value.get<double>();
    };
    const double seconds = number("Timestamp");
    if (!(seconds >= 0 && seconds < 1e11)) throw json_text::wrong(place, "Timestamp", "it is no time");
    SystemMetric metric{.time = std::llround(seconds * 1e6),
                        .value = number("Value"),
                        .type = json_text::text(line, "Type", place),
                        .name = text_or_empty(line, "Name", place),
                        .dimension = json_text::text(line, "Dimension", place),
                        .node = text_or_empty(line, "NodeId", place)};
    if (metric.time >= query_.begin && metric.time < query_.end) out_.metrics.push_back(std::move(metric));
  }

  const Store& store_;
  const TimelineQuery& query_;
  Timeline out_;
};

}  // namespace detail

TENSORTAP_INLINE Timeline read_timeline(const Store& store, const TimelineQuery& query) {
  return detail::TimelineReader(store, query).read();
}

TENSORTAP_INLINE Timeline read_run_timeline(const Store& run, TimelineQuery query) {
  Timeline out;
  for (const char* const folder : {"profiler/", "profiler-output/", ""}) {
    query.folder = folder;
    out = read_timeline(run, query);
    if (!out.events.empty() || !out.metrics.empty() || !out.damage.empty()) break;
  }
  return out;
}

TENSORTAP_END_NAMESPACE
