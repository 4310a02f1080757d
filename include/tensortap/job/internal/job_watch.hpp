// Watches what happens around the program of a job, on a thread of its own: requests to stop in the job's folder, steps
// in the run, and logs that are to be copied.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/checkpoint_carrier.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/periodic_work.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one calls the functions.
class JobWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// `publish` copies the logs.
  JobWatch(std::shared_ptr<Store> store, const std::string& run, std::optional<Seconds> stall,
           std::function<void()> publish)
      : store_(std::move(store)),
        run_(open_store(run)),
        stall_(stall),
        publish_(std::move(publish)),
        is_remote_(JobNames::is_remote(store_->location())) {
    had_ended_ = run_has_ended();
    see_activity();
    try {
      is_stop_requested_ = store_->size(JobLayout::stop_request).has_value();  // before the program starts
    } catch (const std::exception&) {                                          // the thread asks again
    }
    work_ = std::make_unique<PeriodicWork>(std::chrono::milliseconds(is_remote_ ? 3000 : 250), [this] { look(); });
  }

  /// An attempt begins.
  void begin(const CheckpointMark& mark) {
    commit_ = mark.commit;
    see_activity();
  }

  void see_output() noexcept { see_activity(); }
  void see_commit(std::optional<std::int64_t> commit) noexcept {
    if (commit == commit_) return;
    commit_ = commit;
    see_activity();
  }

  [[nodiscard]] bool is_stop_requested() const noexcept { return is_stop_requested_; }

  /// Returns whether nothing has happened for too long.
  [[nodiscard]] bool has_stalled() const noexcept {
    return stall_ && Clock::now().time_since_epoch() - Clock::duration(active_.load()) > *stall_;
  }

  /// Returns whether the run was closed since this watch began.
  [[nodiscard]] bool run_has_ended() const {
    try {
      return run_->size(layout::end_marker).has_value() && !had_ended_;
    } catch (const std::exception&) {
      return false;
    }
  }

  /// Returns whether steps were written, and the run was not closed.
  [[nodiscard]] bool run_is_open() const {
    try {
      return !run_->size(layout::end_marker) && !run_->list("index/").empty();
    } catch (const std::exception&) {
      return false;
    }
  }

 private:
  void see_activity() noexcept { active_ = Clock::now().time_since_epoch().count(); }

  void look() {
    is_stop_requested_ = store_->size(JobLayout::stop_request).has_value();
    if (stall_) look_for_steps();
    const auto now = Clock::now();
    if (is_remote_ && now - published_ >= std::chrono::seconds(15)) {
      publish_();
      published_ = Clock::now();
    }
  }

  /// Sees new objects of the index; their names grow with the steps.
  void look_for_steps() {
    const std::vector<ObjectInfo> fresh = run_->list("index/", last_step_);
    if (fresh.empty()) return;
    last_step_ = fresh.back().key;
    see_activity();
  }

  const std::shared_ptr<Store> store_;
  const std::shared_ptr<Store> run_;
  const std::optional<Seconds> stall_;
  const std::function<void()> publish_;
  const bool is_remote_;
  bool had_ended_ = false;
  std::optional<std::int64_t> commit_;
  std::atomic<Clock::rep> active_ = 0;
  std::atomic<bool> is_stop_requested_ = false;
  std::string last_step_;          // of the thread
  Clock::time_point published_{};  // of the thread
  std::unique_ptr<PeriodicWork> work_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
