// The budget of a hook: measures what share of the time the hook takes, and decides how much the next step may save.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the processor time that the calling thread has used.
inline std::chrono::nanoseconds thread_time() noexcept {
  timespec time{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// An account: time passes into it by a share, and what the hook takes is drawn from it. A step that is due saves in
/// the richest detail whose cost comes in between two such steps, and nothing while the account is overdrawn.
/// Threads: `plan` the loop's; the rest any.
class OverheadBudget {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::nanoseconds;

  /// `share` is above 0 and below 1. The time of other threads counts by `cores`, since training has the rest.
  explicit OverheadBudget(double share, unsigned cores = std::thread::hardware_concurrency())
      : share_(share), cores_(std::max(cores, 1U)) {}

  /// Adds time that a save or a step took in a thread of training.
  void add(Time time) noexcept { in_step_.fetch_add(time.count(), std::memory_order_relaxed); }

  /// Counts time of a thread of training, which `add` counts too, as time that will not be needed again.
  void count_once(Time time) noexcept { once_.fetch_add(time.count(), std::memory_order_relaxed); }

  /// Adds processor time that another thread took for `steps` steps of this detail.
  void add_written(Detail detail, Time time, std::size_t steps) {
    const std::lock_guard lock(mutex_);
    const double cost = static_cast<double>(time.count()) / cores_;
    written_ += cost;
    blend(costs_[index(detail)].written, cost / static_cast<double>(std::max<std::size_t>(steps, 1)));
  }

  /// Ends the step before and returns what the next one may save: nullopt for nothing.
  [[nodiscard]] std::optional<Detail> plan(bool is_due, Clock::time_point now = Clock::now()) {
    const std::lock_guard lock(mutex_);
    settle(now);
    if (!is_due) return account_ < 0 ? std::nullopt : std::optional(detail_);
    const double since_due = static_cast<double>((now - last_due_).count());
    last_due_ = now;
    was_saved_ = false;
    if (!has_begun_) {
      has_begun_ = true;
    } else {
      blend(interval_, since_due);
      choose();
    }
    if (account_ < 0) return std::nullopt;
    was_saved_ = true;
    return detail_;
  }

 private:
  /// The average cost of a step. Units: ns.
  struct Cost {
    double captured = 0;  ///< in threads of training
    double written = 0;   ///< in the writer's, as a share of all cores

    [[nodiscard]] double sum() const noexcept { return captured + written; }
  };

  static constexpr double longest_credit = 10e9;  // ns of training
  static constexpr double longest_debt = 600e9;

  static std::size_t index(Detail detail) noexcept { return static_cast<std::size_t>(detail); }

  /// Moves an average to a new value; the first one becomes the average.
  static void blend(double& average, double value) noexcept {
    average = average == 0 ? value : 0.75 * average + 0.25 * value;
  }

  /// Brings the account up to date.
  void settle(Clock::time_point now) {
    const auto in_step = static_cast<double>(in_step_.exchange(0, std::memory_order_relaxed));
    const auto once = static_cast<double>(once_.exchange(0, std::memory_order_relaxed));
    if (was_saved_) blend(costs_[index(detail_)].captured, std::max(in_step - once, 0.0));
    was_saved_ = false;
    const double passed = has_begun_ ? static_cast<double>((now - last_).count()) : 0;
    last_ = now;
    account_ += share_ * passed - in_step - std::exchange(written_, 0);
    account_ = std::clamp(account_, -share_ * longest_debt, share_ * longest_credit);
  }

  /// Chooses the richest detail that can be paid. What was found too costly is tried again after a long while.
  void choose() {
    const double income = share_ * interval_;
    const Detail before = detail_;
    detail_ = Detail::scalars;
    for (const Detail richer : {Detail::all, Detail::statistics}) {
      Cost& cost = costs_[index(richer)];
      constexpr double margin = 0.7;  // against changing to and fro
      if (cost.sum() <= (richer < before ? margin * income : income)) {
        detail_ = richer;
        return;
      }
      constexpr double forgetting = 0.999;
      cost.captured *= forgetting;
      cost.written *= forgetting;
    }
  }

  const double share_;
  const double cores_;
  std::atomic<std::int64_t> in_step_ = 0;
  std::atomic<std::int64_t> once_ = 0;  // of that
  std::mutex mutex_;                    // guards the rest
  double written_ = 0;
  double account_ = 0;   // ns; below 0: overdrawn
  double interval_ = 0;  // between steps that are due
  std::array<Cost, 3> costs_{};
  Clock::time_point last_{};
  Clock::time_point last_due_{};
  Detail detail_ = Detail::all;
  bool has_begun_ = false;
  bool was_saved_ = false;  // whether the current step saves with `detail_`
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
