// What a run lacks: tensors that were due and were not saved, and why. The hook counts them (see `HookStatus`) and
// writes them into the object of its attempt, so that readers know.
//
//   for (const tensortap::Loss& loss : hook.status().losses)
//     std::cerr << to_string(loss.reason) << ": " << loss.tensors << " tensors\n";
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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
  out_of_memory,   ///< steps and tensors for which there was no memory
  removed,         ///< steps that were saved, until the run was removed under its writer
};

/// Returns the reason as text, "the queue was full".
constexpr std::string_view to_string(LossReason reason) noexcept {
  constexpr std::string_view names[] = {"the queue was full",        "the write failed",       "there was no time left",
                                        "a later attempt continues", "the step was too large", "too many names",
                                        "there was no memory left",  "the run was removed"};
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

  friend bool operator==(const Loss&, const Loss&) = default;
};

TENSORTAP_END_NAMESPACE
