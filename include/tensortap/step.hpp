// Modes and steps. A loop runs in a mode (TRAIN, EVAL …). Each mode counts its own steps, and one global counter counts
// all of them. Save policies use the mode step; files are named by the global step.
//
//   const tensortap::Step step{tensortap::Mode::eval, 3, 1203};   // the fourth EVAL step, the 1204th of all
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What the loop does in a step. The numbers are part of the file format.
enum class Mode : std::uint8_t { train = 1, eval = 2, predict = 3, global = 4 };

/// All modes, in the order in which files list them.
inline constexpr std::array<Mode, 4> all_modes = {Mode::train, Mode::eval, Mode::predict, Mode::global};

/// Returns the position of `mode` in `all_modes`.
constexpr std::size_t index_of(Mode mode) noexcept { return static_cast<std::size_t>(mode) - 1; }

/// Returns the name used in files: "TRAIN", "EVAL", "PREDICT" or "GLOBAL".
constexpr std::string_view to_string(Mode mode) noexcept {
  constexpr std::array<std::string_view, 4> names = {"TRAIN", "EVAL", "PREDICT", "GLOBAL"};
  return names[index_of(mode)];
}

/// Returns the mode named `text`; nullopt if there is none.
constexpr std::optional<Mode> parse_mode(std::string_view text) noexcept {
  for (const Mode mode : all_modes)
    if (to_string(mode) == text) return mode;
  return std::nullopt;
}

/// The largest number of a step. Larger ones leave no room to count further.
inline constexpr std::int64_t step_limit = std::int64_t{1} << 60;

/// One step of a run: its mode, its number in that mode, and its number among all steps.
struct Step {
  Mode mode = Mode::train;
  std::int64_t mode_step = 0;
  std::int64_t global_step = 0;

  friend bool operator==(const Step&, const Step&) = default;
};

TENSORTAP_END_NAMESPACE
