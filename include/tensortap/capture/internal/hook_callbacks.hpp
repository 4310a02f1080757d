// The callbacks of a hook, called on the writer's thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/captured_step.hpp>
#include <tensortap/capture/internal/record_index.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's; `suppress` any.
class HookCallbacks {
 public:
  HookCallbacks(const HookOptions& options, StatusLedger& ledger) : options_(options), ledger_(ledger) {}

  /// Suppresses all callbacks from now on; their targets may have been destroyed.
  void suppress() noexcept { is_suppressed_ = true; }

  /// Shows a written step to `on_step` and counts its exceptions.
  void step_written(const StepRecords& step) noexcept {
    if (!options_.on_step || is_suppressed_) return;
    try {
      options_.on_step(CapturedStep(step, options_.collections, index_));
    } catch (...) {
      ledger_.change([](HookStatus& status) { ++status.callback_errors; });
    }
  }

  /// Returns what `on_step` says of the step that it has seen last. Counts its exceptions.
  [[nodiscard]] std::vector<StepText> step_texts() noexcept {
    if (!options_.on_step || is_suppressed_) return {};
    try {
      return options_.on_step.texts();
    } catch (...) {
      ledger_.change([](HookStatus& status) { ++status.callback_errors; });
      return {};
    }
  }

  /// Returns the state of `on_step`; nullopt if it has none. Counts its exceptions.
  [[nodiscard]] std::optional<std::string> observer_state() noexcept {
    if (!options_.on_step.has_state() || is_suppressed_) return std::nullopt;
    try {
      return options_.on_step.state();
    } catch (...) {
      ledger_.change([](HookStatus& status) { ++status.callback_errors; });
      return std::nullopt;
    }
  }

  /// Passes the message of a failed write to `on_error` and ignores its exceptions.
  void write_failed(std::string_view message) noexcept {
    if (!options_.on_error || is_suppressed_) return;
    try {
      options_.on_error(message);
    } catch (...) {
    }
  }

  /// Passes a durable state to `on_commit`. Throws: what it throws.
  void committed(const State& state) const {
    if (options_.on_commit && !is_suppressed_) options_.on_commit(state);
  }

 private:
  const HookOptions& options_;
  StatusLedger& ledger_;
  std::atomic<bool> is_suppressed_ = false;
  RecordIndex index_;  // of the step at hand; its memory serves all steps
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
