// The status of a hook: what it has done so far, and every loss. No loss is silent.
//
//   const tensortap::HookStatus status = hook.status();
//   for (const auto& loss : status.losses) std::cerr << to_string(loss.reason) << ": " << loss.tensors << " tensors\n";
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Why something was not saved.
enum class LossReason : std::uint8_t {
  queue_full,      ///< steps for which the queue had no room
  write_failed,    ///< steps that the store refused until the retries ended
  out_of_time,     ///< steps that still waited at the deadline of the hook
  fenced,          ///< steps of an attempt that has a successor
  step_too_large,  ///< tensors beyond max_step_bytes
  too_many_names,  ///< tensors beyond the limit of names
};

/// Returns the reason as text, "the queue was full".
constexpr std::string_view to_string(LossReason reason) noexcept {
  constexpr std::string_view names[] = {"the queue was full",        "the write failed",       "there was no time left",
                                        "a later attempt continues", "the step was too large", "too many names"};
  return names[static_cast<std::size_t>(reason)];
}

/// Consecutive losses for one reason.
struct Loss {
  LossReason reason = LossReason::queue_full;
  std::int64_t first_step = 0;  ///< global steps
  std::int64_t last_step = 0;
  std::uint64_t steps = 0;    ///< whole steps
  std::uint64_t tensors = 0;  ///< records in them, or single tensors
  std::uint64_t bytes = 0;    ///< of their elements
};

/// What a hook has done so far.
struct HookStatus {
  std::uint64_t steps_saved = 0;       ///< steps that were written
  std::uint64_t records_saved = 0;     ///< records in them: raw tensors and reductions
  std::uint64_t bytes_saved = 0;       ///< bytes of their events files
  std::uint64_t steps_lost = 0;        ///< steps that were not written
  std::uint64_t tensors_lost = 0;      ///< records in them, and single tensors
  std::uint64_t not_reducible = 0;     ///< saves of complex and string tensors whose collection has reductions
  std::uint64_t retries = 0;           ///< writes that were repeated
  std::uint64_t callback_errors = 0;   ///< exceptions out of on_step
  std::uint64_t steps_queued = 0;      ///< steps that wait to be written
  std::uint64_t bytes_queued = 0;      ///< bytes of their elements
  std::chrono::nanoseconds blocked{};  ///< how long training has waited for room in the queue
  std::vector<Loss> losses;            ///< at most 1000 entries; the last one sums up all further losses
  std::optional<std::string> error;    ///< the first failed write
  std::vector<std::string> notes;      ///< skipped commits, damaged files, collections without tensors
};

TENSORTAP_END_NAMESPACE
