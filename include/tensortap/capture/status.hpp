// What a hook has done so far, and what it could not keep: every loss is counted, none is silent.
//
//   const tensortap::HookStatus status = hook.status();
//   for (const auto& loss : status.losses) std::cerr << to_string(loss.reason) << ": " << loss.tensors << " tensors\n";
#pragma once

#include <algorithm>
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
  queue_full,      ///< steps that found no room
  write_failed,    ///< steps the store refused to the end
  out_of_time,     ///< steps still waiting when the hook had to go
  fenced,          ///< steps of an attempt that has a successor
  step_too_large,  ///< tensors beyond max_step_bytes
  too_many_names,  ///< tensors beyond the limit of names
};

constexpr std::string_view to_string(LossReason reason) noexcept {
  constexpr std::string_view names[] = {"the queue was full",      "the write failed",       "there was no time left",
                                        "another attempt goes on", "the step was too large", "too many names"};
  return names[static_cast<std::size_t>(reason)];
}

/// Losses of one kind in a row of steps.
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
  std::uint64_t steps_lost = 0;        ///< steps that were not
  std::uint64_t tensors_lost = 0;      ///< records in them, and single tensors
  std::uint64_t not_reducible = 0;     ///< complex and string tensors whose reductions were asked for
  std::uint64_t retries = 0;           ///< writes that were repeated
  std::uint64_t callback_errors = 0;   ///< exceptions out of on_step
  std::uint64_t steps_queued = 0;      ///< steps that wait
  std::uint64_t bytes_queued = 0;      ///< bytes of their elements
  std::chrono::nanoseconds blocked{};  ///< how long training has waited for room
  std::vector<Loss> losses;  ///< the ledger: what was lost where; the last entry sums up what is beyond its limit
  std::optional<std::string> error;  ///< the first failed write
  std::vector<std::string> notes;    ///< what was odd at the beginning: states passed over, foreign files
};

/// Adds a loss to the ledger, which stays short: losses of one kind in a row are one entry.
inline void add_loss(HookStatus& status, const Loss& loss) {
  constexpr std::size_t limit = 1000;
  status.steps_lost += loss.steps;
  status.tensors_lost += loss.tensors;
  if (status.losses.size() < limit && (status.losses.empty() || status.losses.back().reason != loss.reason)) {
    status.losses.push_back(loss);
    return;
  }
  Loss& last = status.losses.back();
  last.last_step = std::max(last.last_step, loss.last_step);
  last.steps += loss.steps;
  last.tensors += loss.tensors;
  last.bytes += loss.bytes;
}

TENSORTAP_END_NAMESPACE
