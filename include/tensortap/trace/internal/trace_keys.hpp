// The names of trace files, and the time in them. Source: smdebug's profiler, and SageMaker's agent.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::trace_keys {

inline constexpr std::string_view events = "framework/pevents/";
inline constexpr std::string_view metrics = "system/incremental/";

/// Returns the time of `clock`, or of the system. Units: microseconds since 1970.
inline std::int64_t now(const std::function<std::int64_t()>& clock) {
  if (clock) return clock();
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

/// Returns "YYYYMMDDHH", UTC. Units: microseconds since 1970.
inline std::string hour_of(std::int64_t time) {
  const auto days = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(time)));
  const std::chrono::year_month_day date(days);
  const auto hour = std::chrono::floor<std::chrono::hours>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(time)) - days);
  std::array<char, 48> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d%02u%02u%02d", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(hour.count()));
  return text.data();
}

/// What the key of a file says.
struct FileName {
  std::int64_t end = 0;     ///< of its last event. Units: microseconds since 1970
  std::string node = {};    ///< "algo-1-4242", of metrics "algo-1"
  std::string suffix = {};  ///< "pythontimeline.json"
};

/// Returns the whole of `text` as a number; nullopt if it is none.
inline std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

inline std::string_view last_part(std::string_view key) { return key.substr(key.rfind('/') + 1); }

/// Returns what "…/END_NODE_SUFFIX" says; "PID-HOST" becomes "HOST-PID". Returns nullopt for another name.
inline std::optional<FileName> of_events(std::string_view key) {
  const std::string_view name = last_part(key);
  const std::size_t first = name.find('_');
  const std::size_t second = first == std::string_view::npos ? first : name.find('_', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto end = number_in(name.substr(0, first));
  if (!end || *end > std::int64_t{99'999'999'999} * 1'000'000) return std::nullopt;
  const std::string_view node = name.substr(first + 1, second - first - 1);
  const std::size_t dash = node.find('-');
  return FileName{*end,
                  dash == std::string_view::npos
                      ? std::string(node)
                      : std::string(node.substr(dash + 1)) + "-" + std::string(node.substr(0, dash)),
                  std::string(name.substr(second + 1))};
}

/// Returns what "…/SECONDS.NODE.json" says; nullopt for another name.
inline std::optional<FileName> of_metrics(std::string_view key) {
  constexpr std::string_view suffix = ".json";
  const std::string_view name = last_part(key);
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || !name.ends_with(suffix) || name.size() < dot + 1 + suffix.size())
    return std::nullopt;
  const auto seconds = number_in(name.substr(0, dot));
  if (!seconds || *seconds > 99'999'999'999) return std::nullopt;
  return FileName{*seconds * 1'000'000, std::string(name.substr(dot + 1, name.size() - dot - 1 - suffix.size())), {}};
}

}  // namespace detail::trace_keys
TENSORTAP_END_NAMESPACE
