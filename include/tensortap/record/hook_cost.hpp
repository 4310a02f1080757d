// What a hook has cost its training: the time that training spent in calls of the hook.
//
//   std::cerr << to_string(hook.status().cost) << '\n';  // "0.8 % of the time of training"
#pragma once

#include <chrono>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a hook has cost its training.
struct HookCost {
  std::chrono::nanoseconds elapsed{};      ///< since the hook began; 0: nothing is known
  std::chrono::nanoseconds in_training{};  ///< in calls of the hook, waits included; the sum of all threads of training
  std::chrono::nanoseconds writing{};      ///< processor time of the hook's own thread, which writes

  /// Returns the part of the time of training that went into calls of the hook.
  [[nodiscard]] double share() const noexcept {
    return elapsed.count() > 0 ? static_cast<double>(in_training.count()) / static_cast<double>(elapsed.count()) : 0;
  }

  friend bool operator==(const HookCost&, const HookCost&) = default;
};

/// Returns one line, "0.8 % of the time of training; its writer 3.1 % of a processor".
std::string to_string(const HookCost& cost);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/hook_cost_impl.hpp>
#endif
