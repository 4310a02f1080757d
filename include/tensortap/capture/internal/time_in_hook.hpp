// The time of a call of a hook, for its cost and for its budget.
#pragma once

#include <algorithm>
#include <chrono>

#include <tensortap/capture/internal/overhead_budget.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Adds the time of its scope to the cost of the hook, and to the budget if there is one; at most `longest`: beyond
/// that, others had the processor.
class TimeInHook {
 public:
  TimeInHook(StatusLedger& ledger, OverheadBudget* budget, std::chrono::nanoseconds longest) noexcept
      : ledger_(ledger), budget_(budget), longest_(longest) {}
  TimeInHook(const TimeInHook&) = delete;
  TimeInHook& operator=(const TimeInHook&) = delete;
  ~TimeInHook() {
    const auto time = std::min<std::chrono::nanoseconds>(Clock::now() - began_, longest_);
    ledger_.add_time_in_training(time);
    if (budget_ != nullptr) budget_->add(time);
  }

 private:
  using Clock = std::chrono::steady_clock;

  StatusLedger& ledger_;
  OverheadBudget* budget_;
  std::chrono::nanoseconds longest_;
  Clock::time_point began_ = Clock::now();
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
