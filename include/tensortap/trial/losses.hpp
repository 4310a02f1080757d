// What a run lacks because its writers could not save it: their own account, as a reader of the run sees it.
//
//   if (const auto lost = trial.losses(); !lost.empty()) std::cerr << to_string(lost) << '\n';
#pragma once

#include <cstdint>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The losses of all workers and attempts that count; see `Attempt` for each of them.
struct RunLosses {
  std::uint64_t steps = 0;       ///< whole steps, of one worker each
  std::uint64_t tensors = 0;     ///< records in them, and single tensors
  std::uint64_t bytes = 0;       ///< of their elements
  std::int64_t first_step = -1;  ///< global steps
  std::int64_t last_step = -1;
  std::string error;  ///< the first failed write of a worker; safe to print

  [[nodiscard]] bool empty() const noexcept { return steps == 0 && tensors == 0; }
};

/// Returns one line, "3 steps and 12 tensors (4096 bytes) were lost, in steps 5 to 7: …".
std::string to_string(const RunLosses& losses);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/losses_impl.hpp>
#endif
