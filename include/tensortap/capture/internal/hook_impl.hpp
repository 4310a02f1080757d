// Passes the calls of a hook on to its recorder.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook.hpp>
#include <tensortap/capture/hook_configuration.hpp>
#include <tensortap/capture/internal/recorder.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes each of these lines to the standard error stream, unless this process has done so before.
inline void warn_once(const std::vector<std::string>& lines) {
  static std::mutex mutex;
  static std::set<std::string> written;
  const std::lock_guard lock(mutex);
  for (const std::string& line : lines)
    if (written.insert(line).second) (void)std::fprintf(stderr, "tensortap: %s\n", line.c_str());
}

}  // namespace detail

TENSORTAP_INLINE Hook::Hook(std::string_view address, HookOptions options)
    : Hook(options.enabled ? open_store(address) : nullptr, std::move(options)) {}

TENSORTAP_INLINE Hook::Hook(std::shared_ptr<Store> store, HookOptions options)
    : recorder_(std::make_unique<detail::Recorder>(std::move(store), std::move(options))) {}

TENSORTAP_INLINE Hook Hook::from_environment(HookOptions options) {
  const HookConfiguration configuration = HookConfiguration::from_environment();
  detail::warn_once(configuration.warnings);
  return Hook(configuration.out_dir, configuration.over(std::move(options)));
}

TENSORTAP_INLINE Hook::~Hook() = default;

TENSORTAP_INLINE const std::optional<Resumed>& Hook::resumed() const noexcept { return recorder_->resumed(); }

TENSORTAP_INLINE void Hook::begin_step(Mode mode) { recorder_->begin_step(recorder_->counter().next(mode)); }

TENSORTAP_INLINE void Hook::begin_step(Mode mode, std::int64_t mode_step) {
  recorder_->begin_step(recorder_->counter().at(mode, mode_step));
}

TENSORTAP_INLINE void Hook::begin_step(const Step& step) {
  recorder_->counter().require_growing(step);
  recorder_->begin_step(step);
}

TENSORTAP_INLINE std::int64_t Hook::step(Mode mode) const noexcept { return recorder_->counter().step(mode); }

TENSORTAP_INLINE std::int64_t Hook::global_step() const noexcept { return recorder_->counter().global_step(); }

TENSORTAP_INLINE Mode Hook::mode() const noexcept { return recorder_->counter().mode(); }

TENSORTAP_INLINE std::int64_t Hook::next_step(Mode mode) const noexcept {
  return recorder_->counter().next_number(mode);
}

TENSORTAP_INLINE PhaseScope Hook::phase(std::string_view name) const noexcept {
  return {recorder_->phases(), name, mode(), recorder_->counter().step(mode())};
}

TENSORTAP_INLINE bool Hook::due(std::string_view collection) const { return recorder_->is_due(collection); }

TENSORTAP_INLINE bool Hook::wants(std::string_view name) {
  return recorder_->is_enabled() && recorder_->capture().wants(name);
}

TENSORTAP_INLINE Hook::Lookup Hook::look_up(std::string_view name) {
  if (!recorder_->is_enabled()) return {nullptr, false};
  detail::TrackedTensor* const entry = recorder_->capture().find(name);
  return {entry, entry == nullptr || entry->due || entry->kept};
}

TENSORTAP_INLINE void Hook::take(std::string_view name, detail::TrackedTensor* entry, const TensorView& view) {
  recorder_->capture().take(name, entry, view);
}

TENSORTAP_INLINE void Hook::commit(std::string_view checkpoint, std::optional<std::chrono::nanoseconds> timeout) {
  recorder_->commit(checkpoint, timeout);
}

TENSORTAP_INLINE void Hook::flush(std::optional<std::chrono::nanoseconds> timeout) { recorder_->flush(timeout); }

TENSORTAP_INLINE bool Hook::interrupted() const noexcept { return recorder_->stop().requested(); }

TENSORTAP_INLINE std::optional<Hook::Clock::duration> Hook::time_left() const noexcept {
  return recorder_->stop().time_left();
}

TENSORTAP_INLINE HookStatus Hook::status() const { return recorder_->status(); }

TENSORTAP_INLINE Report Hook::report() const { return recorder_->capture().report(); }

TENSORTAP_INLINE void Hook::close() { recorder_->close(); }

TENSORTAP_END_NAMESPACE
