// The keys of "HookParameters" that say how the hook writes, and what it may cost. Each has the name of its option, but
// for those of TensorBoard, which are smdebug's. Times are in seconds, and texts count as what they say, as there.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/placed_json.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the number, or the text that is one. Throws: another value.
inline double configured_number(const PlacedJson::Value& from) {
  if (from.json().is_number()) return from.json().get<double>();
  if (from.json().is_string()) {
    const std::string text = from.text();
    double out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(out)) return out;
  }
  throw from.wrong("it must be a number");
}

inline void read_option(const PlacedJson::Value& from, bool& to) { to = from.flag(); }
inline void read_option(const PlacedJson::Value& from, std::string& to) { to = from.text(); }
inline void read_option(const PlacedJson::Value& from, std::optional<double>& to) {
  const double share = configured_number(from);
  if (!(share > 0 && share < 1)) throw from.wrong("it must be between 0 and 1; 0.01 is one percent");
  to = share;
}
inline void read_option(const PlacedJson::Value& from, std::int64_t& to) {
  to = from.integer();
  if (to < 0) throw from.wrong("it must be at least 0");
}
inline void read_option(const PlacedJson::Value& from, std::uint64_t& to) {
  std::int64_t bytes = 0;
  if (from.json().is_number_unsigned()) {
    to = from.json().get<std::uint64_t>();
    return;
  }
  read_option(from, bytes);
  to = static_cast<std::uint64_t>(bytes);
}
/// Reads a limit, at least 1.
template <class T>
requires std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t>
void read_option(const PlacedJson::Value& from, std::optional<T>& to) {
  T limit = 0;
  read_option(from, limit);
  if (limit < 1) throw from.wrong("it must be at least 1");
  to = limit;
}
inline void read_option(const PlacedJson::Value& from, int& to) {
  const std::int64_t value = from.integer();
  if (value < 1 || value > std::numeric_limits<int>::max())
    throw from.wrong("it must be from 1 to " + std::to_string(std::numeric_limits<int>::max()));
  to = static_cast<int>(value);
}
inline void read_option(const PlacedJson::Value& from, std::chrono::nanoseconds& to) {
  const double seconds = configured_number(from);
  if (!(seconds >= 0)) throw from.wrong("it must be a number of seconds, at least 0");
  constexpr double in_seconds = 1e9;
  constexpr auto most = std::chrono::nanoseconds::max();
  const bool is_short = seconds < static_cast<double>(most.count()) / in_seconds;
  to = is_short ? std::chrono::nanoseconds(std::llround(seconds * in_seconds)) : most;
}
inline void read_option(const PlacedJson::Value& from, std::vector<std::string>& to) {
  to.clear();
  if (!from.json().is_array()) {
    to = from.list();
    return;
  }
  for (const PlacedJson::Value& one : from.elements()) to.push_back(one.text());
}

/// The names of choices, in their order.
template <class T>
inline constexpr std::array<std::string_view, 0> choices = {};
template <>
inline constexpr std::array<std::string_view, 2> choices<WhenFull> = {"block", "drop"};
template <>
inline constexpr std::array<std::string_view, 3> choices<Durability> = {"none", "commit", "step"};
template <>
inline constexpr std::array<std::string_view, 3> choices<OnResume> = {"archive", "discard", "keep"};
template <>
inline constexpr std::array<std::string_view, 2> choices<OnFailure> = {"go_on", "stop"};

template <class T>
requires std::is_enum_v<T>
void read_option(const PlacedJson::Value& from, T& to) {
  const auto found = std::find(choices<T>.begin(), choices<T>.end(), from.text());
  if (found == choices<T>.end()) {
    std::string all;
    for (const std::string_view one : choices<T>) all.append(all.empty() ? "" : ", ").append(one);
    throw from.wrong("it must be one of these: " + all);
  }
  to = static_cast<T>(found - choices<T>.begin());
}

template <class T>
nlohmann::json json_of_option(const T& from) {
  if constexpr (std::is_enum_v<T>) {
    return choices<T>[static_cast<std::size_t>(from)];
  } else {
    return from;
  }
}
template <class T>
nlohmann::json json_of_option(const std::optional<T>& from) {
  return from ? nlohmann::json(*from) : nullptr;
}
inline nlohmann::json json_of_option(const std::chrono::nanoseconds& from) {
  const std::chrono::duration<double> seconds = from;
  const bool is_whole = from % std::chrono::seconds(1) == std::chrono::seconds(0);
  return is_whole ? nlohmann::json(std::chrono::duration_cast<std::chrono::seconds>(from).count())
                  : nlohmann::json(seconds.count());
}

/// One key and its option.
struct ConfiguredOption {
  std::string_view key;
  void (*read)(const PlacedJson::Value& from, HookOptions& to);
  nlohmann::json (*write)(const HookOptions& from);
  void (*copy)(const HookOptions& from, HookOptions& to);
};

#define TENSORTAP_CONFIGURED(key, member)                                                      \
  ConfiguredOption {                                                                           \
    key, [](const PlacedJson::Value& from, HookOptions& to) { read_option(from, to.member); }, \
        [](const HookOptions& from) { return json_of_option(from.member); },                   \
        [](const HookOptions& from, HookOptions& to) { to.member = from.member; }              \
  }
inline constexpr auto configured_options = std::array{
    TENSORTAP_CONFIGURED("budget", budget),
    TENSORTAP_CONFIGURED("budget_spares_rules", budget_spares_rules),
    TENSORTAP_CONFIGURED("cost_interval", cost_interval),
    TENSORTAP_CONFIGURED("retention_steps", retention.steps),
    TENSORTAP_CONFIGURED("retention_bytes", retention.bytes),
    TENSORTAP_CONFIGURED("process_facts", process_facts),
    TENSORTAP_CONFIGURED("pack", pack),
    TENSORTAP_CONFIGURED("pack_time", pack_time),
    TENSORTAP_CONFIGURED("pack_bytes", pack_bytes),
    TENSORTAP_CONFIGURED("events_per_file", events_per_file),
    TENSORTAP_CONFIGURED("durability", durability),
    TENSORTAP_CONFIGURED("on_failure", on_failure),
    TENSORTAP_CONFIGURED("on_resume", on_resume),
    TENSORTAP_CONFIGURED("start_over", start_over),
    TENSORTAP_CONFIGURED("resume_ended", resume_ended),
    TENSORTAP_CONFIGURED("run_id", run_id),
    TENSORTAP_CONFIGURED("watch_checkpoints", watch_checkpoints),
    TENSORTAP_CONFIGURED("queue_bytes", queue_bytes),
    TENSORTAP_CONFIGURED("when_full", when_full),
    TENSORTAP_CONFIGURED("block_timeout", block_timeout),
    TENSORTAP_CONFIGURED("max_step_bytes", max_step_bytes),
    TENSORTAP_CONFIGURED("retry_attempts", retry.attempts),
    TENSORTAP_CONFIGURED("retry_for_at_most", retry.for_at_most),
    TENSORTAP_CONFIGURED("retry_first_delay", retry.first_delay),
    TENSORTAP_CONFIGURED("retry_longest_delay", retry.longest_delay),
    TENSORTAP_CONFIGURED("commit_timeout", commit_timeout),
    TENSORTAP_CONFIGURED("close_timeout", close_timeout),
    TENSORTAP_CONFIGURED("destroy_timeout", destroy_timeout),
    TENSORTAP_CONFIGURED("recorder_steps", recorder.steps),
    TENSORTAP_CONFIGURED("recorder_collections", recorder.collections),
    TENSORTAP_CONFIGURED("recorder_max_bytes", recorder.max_bytes),
    TENSORTAP_CONFIGURED("recorder_max_snapshots", recorder.max_snapshots),
    TENSORTAP_CONFIGURED("export_tensorboard", tensorboard),
    TENSORTAP_CONFIGURED("tensorboard_dir", tensorboard_dir),
    TENSORTAP_CONFIGURED("run_files", run_files),
    TENSORTAP_CONFIGURED("index_extras", index_extras),
    TENSORTAP_CONFIGURED("strip_output_numbers", strip_output_numbers),
};
#undef TENSORTAP_CONFIGURED

/// Reads the options that `from` says into `to`. Returns their keys. Throws: a value of the wrong kind.
inline std::vector<std::string> take_options(const PlacedJson::Value& from, HookOptions& to) {
  std::vector<std::string> out;
  for (const ConfiguredOption& option : configured_options)
    if (const auto value = from.find(option.key)) {
      option.read(*value, to);
      if (to.events_per_file < 1) throw value->wrong("it must be at least 1");
      out.emplace_back(option.key);
    }
  return out;
}

/// Calls `take` with each option that `keys` names or that is not as by default.
template <class Take>
void for_options_said(const HookOptions& from, const std::vector<std::string>& keys, const Take& take) {
  const HookOptions defaults;
  for (const ConfiguredOption& option : configured_options)
    if (std::find(keys.begin(), keys.end(), option.key) != keys.end() || option.write(from) != option.write(defaults))
      take(option);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
