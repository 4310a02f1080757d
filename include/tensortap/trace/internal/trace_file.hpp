// A trace file that is being written: Chrome's trace format, one event a line, each kind of phase with a process number
// of its own. Source: smdebug's profiler.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/record/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One event of a file. Units: microseconds since 1970.
struct TracedPhase {
  std::string_view name;
  std::int64_t begin = 0, end = 0;
  std::int64_t thread = 0;
  std::int64_t step = -1;    ///< -1: none
  std::int64_t process = 0;  ///< of a whole step: the process that trains; else 0
  std::span<const PhaseNumber> numbers = {};
};

class TraceFile {
 public:
  /// Times are relative to `start`.
  explicit TraceFile(std::int64_t start) : start_(start) {
    text_ = "[\n";
    add_metadata("process_name", 0, R"("start_time_since_epoch_in_micros": )" + std::to_string(start));
    add_metadata("process_sort_index", 0, R"("sort_index": 0)");
  }

  void add(const TracedPhase& phase) {
    // smdebug begins with 0, which it takes for "not described yet".
    const auto [known, is_new] = rows_.try_emplace(std::string(phase.name), rows_.size() + 1);
    const std::string name = json_text::string(phase.name), row = std::to_string(known->second);
    if (is_new) {
      add_metadata("process_name", known->second, R"("name": )" + name);
      add_metadata("process_sort_index", known->second, R"("sort_index": )" + row);
    }
    text_ += R"({"name": )" + name + R"(, "pid": )" + row + R"(, "tid": )" + std::to_string(phase.thread) +
             R"(, "ph": "X", "ts": )" + std::to_string(phase.begin - start_) + R"(, "dur": )" +
             std::to_string(phase.end - phase.begin) + R"(, "args": {)";
    std::string_view comma;
    const auto add_argument = [&](std::string_view argument, const std::string& value) {
      text_.append(comma).append(json_text::string(argument)).append(": ").append(value);
      comma = ", ";
    };
    if (phase.step >= 0) add_argument("step_num", '"' + std::to_string(phase.step) + '"');
    if (phase.process != 0) add_argument("pid", std::to_string(phase.process));
    for (const PhaseNumber& number : phase.numbers) add_argument(number.name, std::to_string(number.value));
    text_ += "}},\n";
    end_ = std::max(end_, phase.end);
    ++phases_;
  }

  [[nodiscard]] std::uint64_t phases() const noexcept { return phases_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return text_.size(); }
  /// Returns the end of the event that ended last. Units: microseconds since 1970.
  [[nodiscard]] std::int64_t end() const noexcept { return end_; }

  /// Returns the whole file.
  [[nodiscard]] std::string text() const { return text_.substr(0, text_.size() - 2) + "\n]"; }

 private:
  void add_metadata(const char* name, std::size_t row, const std::string& argument) {
    text_ += R"({"name": ")" + std::string(name) + R"(", "ph": "M", "pid": )" + std::to_string(row) + R"(, "args": {)" +
             argument + "}},\n";
  }

  const std::int64_t start_;
  std::string text_;
  std::map<std::string, std::size_t> rows_;  // process numbers, by phase
  std::uint64_t phases_ = 0;
  std::int64_t end_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
