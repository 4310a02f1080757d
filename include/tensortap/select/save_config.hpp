// When to save, as data: the configuration is written into the run, where any reader finds it.
//
//   using namespace tensortap;
//   SaveConfig a = every(100) | at({1, 2, 3});                      // 0, 1, 2, 3, 100, 200 …
//   SaveConfig b = every(10) | from(1000) | until(2000);            // 1000, 1010 … 1990
//   SaveConfig c = (every(100) | during(Mode::train)) | (every(1) | during(Mode::eval));
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// When one mode is saved. Units: steps of that mode.
struct ModeSaveConfig {
  std::optional<std::int64_t>
      save_interval;  ///< every so many steps, counted from 0; without it and without steps: every one
  std::optional<std::int64_t> start_step;  ///< not before this one (default 0)
  std::optional<std::int64_t> end_step;    ///< before this one (default: no end)
  std::vector<std::int64_t> save_steps;    ///< and these, wherever they lie; sorted

  /// Whether mode step `step` is saved.
  [[nodiscard]] bool includes(std::int64_t step) const {
    if (std::binary_search(save_steps.begin(), save_steps.end(), step)) return true;
    return interval() > 0 && step >= start_step.value_or(0) && (!end_step || step < *end_step) &&
           step % interval() == 0;
  }

  /// The interval in force; 0 if only `save_steps` are saved.
  [[nodiscard]] std::int64_t interval() const noexcept {
    if (save_interval) return *save_interval;
    return save_steps.empty() || start_step || end_step ? 1 : 0;
  }

  friend bool operator==(const ModeSaveConfig&, const ModeSaveConfig&) = default;
};

/// When to save, for each mode.
class SaveConfig {
 public:
  using Predicate = std::function<bool(const Step&)>;

  /// Every step of every mode.
  SaveConfig() { modes_.fill(ModeSaveConfig{}); }

  /// A decision of your own. It cannot be written into the run: readers see no configuration.
  /// Threads: called by `begin_step` on the loop's thread.
  static SaveConfig when(Predicate predicate) {
    SaveConfig config;
    config.predicate_ = std::move(predicate);
    return config;
  }

  /// Nothing at all.
  static SaveConfig never() {
    SaveConfig config;
    config.modes_.fill(std::nullopt);
    return config;
  }

  /// Whether a step is saved.
  [[nodiscard]] bool includes(const Step& step) const {
    if (predicate_) return predicate_(step);
    const auto& mode = modes_[index_of(step.mode)];
    return mode && mode->includes(step.mode_step);
  }

  /// The configuration of a mode; nothing if the mode is not saved.
  [[nodiscard]] const std::optional<ModeSaveConfig>& operator[](Mode mode) const { return modes_[index_of(mode)]; }
  [[nodiscard]] std::optional<ModeSaveConfig>& operator[](Mode mode) { return modes_[index_of(mode)]; }

  /// True for `when`.
  [[nodiscard]] bool is_custom() const noexcept { return static_cast<bool>(predicate_); }

  friend bool operator==(const SaveConfig& a, const SaveConfig& b) {
    return a.modes_ == b.modes_ && !a.predicate_ && !b.predicate_;
  }

  /// Both: intervals, starts and ends where one side has them, the steps of either, in the modes of the first; a mode
  /// that only one side has is taken as it is there. Throws: both sides have an interval (or a start, or an end), and
  /// they differ.
  friend SaveConfig operator|(const SaveConfig& a, const SaveConfig& b) {
    if (a.predicate_ || b.predicate_)
      throw Error::bad_save_config(
          "a decision of your own cannot be united with others; write it all into the callable");
    SaveConfig out = a;
    for (std::size_t m = 0; m < all_modes.size(); ++m) {
      if (a.restricted_ != b.restricted_) {  // x | during(mode): the modes of the restriction, the rest of both
        if (!a.modes_[m] || !b.modes_[m]) out.modes_[m] = std::nullopt;
      } else if (!a.modes_[m]) {
        out.modes_[m] = b.modes_[m];
      }
      if (a.modes_[m] && b.modes_[m]) unite(*out.modes_[m], *b.modes_[m]);
    }
    out.restricted_ = a.restricted_ || b.restricted_;
    return out;
  }

 private:
  friend SaveConfig during(Mode mode);

  static void unite(ModeSaveConfig& a, const ModeSaveConfig& b) {
    take(a.save_interval, b.save_interval, "intervals");
    take(a.start_step, b.start_step, "starts");
    take(a.end_step, b.end_step, "ends");
    a.save_steps.insert(a.save_steps.end(), b.save_steps.begin(), b.save_steps.end());
    std::sort(a.save_steps.begin(), a.save_steps.end());
    a.save_steps.erase(std::unique(a.save_steps.begin(), a.save_steps.end()), a.save_steps.end());
  }

  static void take(std::optional<std::int64_t>& a, const std::optional<std::int64_t>& b, const std::string& what) {
    if (a && b && *a != *b)
      throw Error::bad_save_config("two different " + what + " for the same mode (" + std::to_string(*a) + " and " +
                                   std::to_string(*b) + "); put brackets around each (… | during(mode))");
    if (!a) a = b;
  }

  std::array<std::optional<ModeSaveConfig>, 4> modes_;
  Predicate predicate_;
  bool restricted_ = false;  // made by during(): names its modes
};

namespace detail {

inline SaveConfig in_all_modes(const ModeSaveConfig& mode_config) {
  SaveConfig config;
  for (const Mode mode : all_modes) config[mode] = mode_config;
  return config;
}

}  // namespace detail

/// Steps 0, n, 2n … Throws: n below 1.
inline SaveConfig every(std::int64_t n) {
  if (n < 1) throw Error::bad_save_config("every(" + std::to_string(n) + "): the interval must be at least 1");
  return detail::in_all_modes({.save_interval = n, .start_step = {}, .end_step = {}, .save_steps = {}});
}

/// Exactly these steps.
inline SaveConfig at(std::initializer_list<std::int64_t> steps) {
  std::vector<std::int64_t> sorted(steps);
  std::sort(sorted.begin(), sorted.end());
  return detail::in_all_modes({.save_interval = {}, .start_step = {}, .end_step = {}, .save_steps = std::move(sorted)});
}

/// Not before step `n`.
inline SaveConfig from(std::int64_t n) {
  return detail::in_all_modes({.save_interval = {}, .start_step = n, .end_step = {}, .save_steps = {}});
}

/// Before step `n`.
inline SaveConfig until(std::int64_t n) {
  return detail::in_all_modes({.save_interval = {}, .start_step = {}, .end_step = n, .save_steps = {}});
}

/// Only in `mode`.
inline SaveConfig during(Mode mode) {
  SaveConfig config = SaveConfig::never();
  config[mode] = ModeSaveConfig{};
  config.restricted_ = true;
  return config;
}

TENSORTAP_END_NAMESPACE
