// Reads one trace file: Chrome's trace format, one event a line, times relative to a start that the file names.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/trace/internal/json_lines.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The reader of a file. `where` is its key, `node` the process that wrote it.
class TraceFileReader {
 public:
  TraceFileReader(std::string_view where, std::string node, const TimelineQuery& query, Timeline& out)
      : place_{"read", where}, node_(std::move(node)), query_(query), out_(out) {}

  DamagedLines read(std::string_view text) {
    DamagedLines damaged = for_each_json_line(text, place_.where, [this](const nlohmann::json& line) { take(line); });
    for (const auto& [place, open] : open_) out_.unfinished += open.size();
    return damaged;
  }

 private:
  void take(const nlohmann::json& line) {
    const std::string kind = json_text::text(line, "ph", place_);
    if (kind == "M") return take_metadata(line);
    if (kind != "X" && kind != "B" && kind != "E") return;
    const auto time = whole_number(line, "ts", place_);
    if (!time) throw json_text::wrong(place_, "ts", "it is missing");
    const std::int64_t thread = whole_number(line, "tid", place_).value_or(0);
    const std::int64_t process = whole_number(line, "pid", place_).value_or(0);
    std::vector<TraceEvent>& open = open_[{process, thread}];
    if (kind == "E") {
      if (open.empty()) return;  // its begin is in an earlier file
      TraceEvent event = std::move(open.back());
      open.pop_back();
      event.duration = base_ + *time - event.start;
      return keep(std::move(event));
    }
    TraceEvent event{.start = base_ + *time,
                     .phase = phases_.contains(process) ? phases_[process] : std::string(),
                     .name = text_or_empty(line, "name", place_),
                     .node = node_,
                     .thread = thread};
    if (const auto arguments = line.find("args"); arguments != line.end() && arguments->is_object()) {
      event.arguments = arguments->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      event.step = step_in(*arguments);
    }
    if (kind == "B") {
      if (open.size() == depth_limit) throw json_text::wrong(place_, "ph", "too many events are open at once");
      return open.push_back(std::move(event));
    }
    event.duration = whole_number(line, "dur", place_).value_or(0);
    keep(std::move(event));
  }

  void take_metadata(const nlohmann::json& line) {
    const auto arguments = line.find("args");
    if (arguments == line.end() || !arguments->is_object()) return;
    if (const auto base = whole_number(*arguments, "start_time_since_epoch_in_micros", place_)) base_ = *base;
    if (text_or_empty(line, "name", place_) == "process_name")
      if (std::string name = text_or_empty(*arguments, "name", place_); !name.empty())
        phases_[whole_number(line, "pid", place_).value_or(0)] = std::move(name);
  }

  void keep(TraceEvent event) {
    if (event.duration < 0) throw json_text::wrong(place_, "dur", "it is negative");
    if (event.start < query_.end && event.start + event.duration >= query_.begin)
      out_.events.push_back(std::move(event));
  }

  /// Returns "step_num", which smdebug writes as text.
  static std::optional<std::int64_t> step_in(const nlohmann::json& arguments) {
    const auto found = arguments.find("step_num");
    if (found == arguments.end()) return std::nullopt;
    const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
    std::int64_t step = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(step) : std::nullopt;
  }

  static constexpr std::size_t depth_limit = 1000;  // of events in each other

  const json_text::Place place_;
  const std::string node_;
  const TimelineQuery& query_;
  Timeline& out_;
  std::int64_t base_ = 0;
  std::map<std::int64_t, std::string> phases_;                                     // by process number
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<TraceEvent>> open_;  // by process number and thread
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
