// The keys of a configuration that say when to save: plain ones, and those of one mode ("eval.save_interval").
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/configured_names.hpp>
#include <tensortap/record/internal/placed_json.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::array<std::string_view, 4> step_keys = {"save_interval", "save_steps", "start_step", "end_step"};

/// Returns what stands before the keys of a mode.
inline std::string_view prefix_of(Mode mode) {
  switch (mode) {
    case Mode::train: return "train.";
    case Mode::eval: return "eval.";
    case Mode::predict: return "predict.";
    case Mode::global: break;
  }
  return "global.";
}

/// Adds all keys that say when to save.
inline void add_step_keys(std::vector<std::string>& keys) {
  for (const std::string_view key : step_keys) {
    keys.emplace_back(key);
    for (const Mode mode : all_modes) keys.push_back(std::string(prefix_of(mode)).append(key));
  }
}

/// The steps of each mode. Keys that come later replace those before.
class ConfiguredSteps {
 public:
  static constexpr std::int64_t default_interval = 500;

  ConfiguredSteps() { by_mode_.fill({.interval = default_interval}); }

  /// Takes the keys of `from`: plain ones, then those of modes. Returns whether there is any.
  bool take(const PlacedJson::Value& from) {
    bool any = false;
    for (const bool plain : {true, false})
      for (const auto& [key, value] : from.members())
        for (std::size_t i = 0; i < all_modes.size(); ++i) {
          const std::string_view prefix = plain ? std::string_view() : prefix_of(all_modes[i]);
          if (key.substr(0, prefix.size()) == prefix) any = take(key.substr(prefix.size()), value, by_mode_[i]) || any;
        }
    return any;
  }

  [[nodiscard]] SaveConfig config() const {
    SaveConfig out = SaveConfig::never();
    for (std::size_t i = 0; i < all_modes.size(); ++i) out[all_modes[i]] = {by_mode_[i]};
    return out;
  }

 private:
  static bool take(std::string_view key, const PlacedJson::Value& value, SaveClause& out) {
    if (std::find(step_keys.begin(), step_keys.end(), key) == step_keys.end()) return false;
    if (key == "save_interval") {
      out.interval = value.is_null() ? default_interval : value.integer();
      if (out.interval < 1) throw value.wrong("it must be at least 1; to save nothing, set end_step to 0");
    } else if (key == "save_steps") {
      out.steps.clear();
      if (!value.is_null()) out.steps = steps_of(value);
    } else if (key == "start_step") {
      out.start = value.is_null() ? 0 : value.integer();
    } else {
      out.end.reset();
      if (!value.is_null()) out.end = value.integer();
    }
    return true;
  }

  static std::vector<std::int64_t> steps_of(const PlacedJson::Value& value) {
    std::vector<std::int64_t> out;
    if (value.json().is_array()) {
      for (const PlacedJson::Value& step : value.elements()) out.push_back(step.integer());
    } else if (value.json().is_number()) {
      out.push_back(value.integer());
    } else {
      out = value.integers();
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  std::array<SaveClause, all_modes.size()> by_mode_;
};

/// Writes the keys of `config` into `to`: for modes that are alike, without their names.
inline void write_steps(const SaveConfig& config, nlohmann::json& to) {
  const auto write = [&](const std::string& prefix, const SaveConfig::Clauses& clauses) {
    const SaveClause clause = clauses.empty() ? SaveClause{.end = 0} : approximation(clauses);
    const bool only_steps = clause.interval < 1;
    to[prefix + "save_interval"] = only_steps ? ConfiguredSteps::default_interval : clause.interval;
    to[prefix + "start_step"] = only_steps ? 0 : clause.start;
    to[prefix + "end_step"] = nullptr;
    if (only_steps || clause.end) to[prefix + "end_step"] = only_steps ? 0 : *clause.end;
    to[prefix + "save_steps"] = nullptr;
    if (!clause.steps.empty()) {
      std::string list;
      for (const std::int64_t step : clause.steps) list += (list.empty() ? "" : ",") + std::to_string(step);
      to[prefix + "save_steps"] = list;
    }
  };
  const bool alike =
      std::all_of(all_modes.begin(), all_modes.end(), [&](Mode mode) { return config[mode] == config[Mode::train]; });
  if (alike) return write({}, config[Mode::train]);
  for (const Mode mode : all_modes) write(std::string(prefix_of(mode)), config[mode]);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
