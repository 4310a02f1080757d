// Which steps an export takes that goes mode by mode.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the modes that `options` select; Mode::global has the steps of no other mode.
inline std::vector<Mode> exported_modes(const Trial& trial, const ExportOptions& options) {
  std::vector<Mode> out = trial.modes();
  out.push_back(Mode::global);
  std::erase_if(
      out, [&](Mode mode) { return options.query.mode.value_or(mode) != mode && options.query.mode != Mode::global; });
  return out;
}

/// Returns whether step `number` of `mode` is exported: it is of this mode, and `options` select it.
inline bool is_exported(const Trial& trial, const ExportOptions& options, Mode mode, std::int64_t number) {
  const auto global = trial.global_step(mode, number);
  const auto step = global ? trial.step(*global) : std::nullopt;
  return step && step->mode == mode && options.steps.contains(options.query.mode == mode ? number : *global);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
