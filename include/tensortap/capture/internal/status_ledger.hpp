// The ledger of a hook: counts of what was saved, repeated and lost. Training and the writer's thread share it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>

#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Adds a loss to `status`. Consecutive losses for one reason become one entry, so that the list stays short.
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

/// Threads: any.
class StatusLedger {
 public:
  [[nodiscard]] HookStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  /// The first failed write; null if there was none.
  [[nodiscard]] std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  void count_loss(const Loss& loss) noexcept {
    change([&](HookStatus& status) { add_loss(status, loss); });
  }

  /// Calls `change` with the status, under the lock.
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

  /// Keeps `failure` if it is the first one.
  void record_failure(const std::exception_ptr& failure, const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = failure;
    status_.error = message;
  }

 private:
  mutable std::mutex mutex_;  // guards the members below
  HookStatus status_;
  std::exception_ptr failure_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
