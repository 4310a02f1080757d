// The ledger of a hook: counts of what was saved, repeated and lost. Training and the writer's thread share it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Adds the numbers of `loss` to those of `sum`, which keeps its reason.
inline void add_to(Loss& sum, const Loss& loss) noexcept {
  sum.first_step = std::min(sum.first_step, loss.first_step);
  sum.last_step = std::max(sum.last_step, loss.last_step);
  sum.steps += loss.steps;
  sum.tensors += loss.tensors;
  sum.bytes += loss.bytes;
}

/// Adds a loss to `status`. Consecutive losses for one reason become one entry, unless they are to be `apart`, so that
/// the list stays short. If there is no memory for an entry, the last one takes it.
inline void add_loss(HookStatus& status, const Loss& loss, bool apart = false) noexcept {
  constexpr std::size_t limit = 1000;
  status.steps_lost += loss.steps;
  status.tensors_lost += loss.tensors;
  if (status.losses.size() < limit && (apart || status.losses.empty() || status.losses.back().reason != loss.reason)) {
    try {
      status.losses.push_back(loss);
      return;
    } catch (const std::bad_alloc&) {
      if (status.losses.empty()) return;
    }
  }
  add_to(status.losses.back(), loss);
}

/// Threads: any.
class StatusLedger {
 public:
  /// Reserves room for the first losses, so that they are counted even without memory.
  StatusLedger() { status_.losses.reserve(16); }

  [[nodiscard]] HookStatus status() const {
    const std::lock_guard lock(mutex_);
    HookStatus out = status_;
    out.cost = {.elapsed = std::chrono::steady_clock::now() - began_,
                .in_training = std::chrono::nanoseconds(in_training_.load(std::memory_order_relaxed)),
                .writing = std::chrono::nanoseconds(writing_.load(std::memory_order_relaxed))};
    return out;
  }

  /// Adds time that a thread of training spent in the hook.
  void add_time_in_training(std::chrono::nanoseconds time) noexcept {
    in_training_.fetch_add(time.count(), std::memory_order_relaxed);
  }

  /// Adds processor time of the writer's thread.
  void add_time_of_writing(std::chrono::nanoseconds time) noexcept {
    writing_.fetch_add(time.count(), std::memory_order_relaxed);
  }

  /// The first failed write; null if there was none.
  [[nodiscard]] std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  void count_loss(const Loss& loss) noexcept {
    const std::lock_guard lock(mutex_);
    add_loss(status_, loss, std::exchange(has_committed_, false));
  }

  /// Counts a step that saves less, or nothing. Consecutive ones of one detail become one entry.
  void count_thinning(std::optional<Detail> detail, std::int64_t step) noexcept {
    constexpr std::size_t limit = 1000;
    const std::lock_guard lock(mutex_);
    std::vector<Thinning>& list = status_.thinned;
    const bool continues = !list.empty() && (!detail || list.back().detail == *detail || list.size() == limit);
    if (!continues) {
      try {
        list.push_back({.detail = detail.value_or(Detail::scalars), .first_step = step});
      } catch (const std::bad_alloc&) {
        if (list.empty()) return;
      }
    }
    list.back().last_step = step;
    ++(detail ? list.back().saved : list.back().passed_over);
  }

  /// Keeps losses before and after a commit apart: a later attempt may make good those after it.
  void count_commit() noexcept {
    const std::lock_guard lock(mutex_);
    has_committed_ = true;
  }

  /// Calls `change` with the status, under the lock.
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

  /// Keeps `failure` if it is the first one.
  void record_failure(const std::exception_ptr& failure, std::string_view message) noexcept {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = failure;
    try {
      status_.error.emplace(message);
    } catch (const std::bad_alloc&) {
      status_.error.emplace();  // the failure itself is kept
    }
  }

  /// Counts `loss` for want of memory, which is a failure too.
  void count_loss_of_memory(Loss loss) noexcept {
    loss.reason = LossReason::out_of_memory;
    count_loss(loss);
    if (failure()) return;
    try {
      const Error error = Error::out_of_memory(loss.first_step, loss.bytes);
      record_failure(std::make_exception_ptr(error), error.what());
    } catch (const std::bad_alloc&) {
      record_failure(std::current_exception(), "no memory");
    }
  }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<std::int64_t> in_training_ = 0;  // ns
  std::atomic<std::int64_t> writing_ = 0;      // ns
  mutable std::mutex mutex_;                   // guards the members below
  HookStatus status_;
  std::exception_ptr failure_;
  bool has_committed_ = false;  // since the last loss
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
