// The retries of a writer: repeats a failing write within a time that one batch of steps or one commit may use, and
// never beyond the deadline of the hook.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/retry.hpp>
#include <tensortap/retry_policy.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's; `set_deadline` any.
class WriteRetries {
 public:
  using Clock = std::chrono::steady_clock;

  WriteRetries(const RetryPolicy& policy, std::function<void(std::chrono::nanoseconds)> sleep, StatusLedger& ledger)
      : policy_(policy), sleep_(std::move(sleep)), ledger_(ledger) {}

  /// Ends all writes and retries at `deadline`.
  void set_deadline(Clock::time_point deadline) noexcept { deadline_ = deadline.time_since_epoch().count(); }
  [[nodiscard]] bool is_past_deadline() const { return is_past_deadline_after({}); }

  /// Runs `write`, again while the store fails. Throws: the last error.
  template <class Write>
  void run(const Write& write) const {
    std::chrono::nanoseconds budget = policy_.for_at_most;
    run(budget, write);
  }

  /// The same within `budget`, from which the delays are subtracted.
  template <class Write>
  void run(std::chrono::nanoseconds& budget, const Write& write) const {
    RetryPolicy policy = policy_;
    policy.for_at_most = budget;
    Retries retries(policy);
    retry(retries, write, [&](std::chrono::nanoseconds delay) {
      if (is_past_deadline_after(delay)) return false;
      ledger_.change([](HookStatus& status) { ++status.retries; });
      sleep_(delay);
      budget -= delay;
      return true;
    });
  }

 private:
  [[nodiscard]] bool is_past_deadline_after(std::chrono::nanoseconds delay) const {
    return (Clock::now() + delay).time_since_epoch().count() > deadline_;
  }

  RetryPolicy policy_;
  std::function<void(std::chrono::nanoseconds)> sleep_;
  StatusLedger& ledger_;
  std::atomic<Clock::rep> deadline_ = Clock::time_point::max().time_since_epoch().count();
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
