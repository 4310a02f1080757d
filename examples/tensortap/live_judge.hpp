// Rules that judge a run on a thread of their own, while another thread shows what they have found.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <tensortap/internal/thread.hpp>
#include <tensortap/tensortap.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "progress_text.hpp"
#include "runs.hpp"

namespace tensortap_command {

/// A run that is followed and judged. Threads: one, beside its own.
class LiveJudge {
 public:
  /// Opens the run and begins. The run is read again each `interval`. Throws: there is no run.
  LiveJudge(const std::string& run, std::vector<tensortap::Rule> rules, std::chrono::nanoseconds interval)
      : rules_(rules.size()), trial_(open_run("watch", run, options_for(interval))) {
    if (!rules.empty()) rules.emplace_back("steps", Progress{&last_judged_});
    thread_ = tensortap::detail::start_thread([this, rules = std::move(rules)]() mutable { judge(std::move(rules)); });
  }
  LiveJudge(const LiveJudge&) = delete;
  LiveJudge& operator=(const LiveJudge&) = delete;
  ~LiveJudge() { stop(); }

  [[nodiscard]] const tensortap::Trial& trial() const { return trial_; }

  /// Reads what is new in the run, if the rules are busy: else they do so themselves.
  void refresh() const {
    if (!rests_) (void)trial_.refresh();
  }

  /// Returns whether no more steps can come, and all of them are judged. Throws: the run is gone.
  [[nodiscard]] bool has_ended() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    return ended_;
  }

  /// Ends the judgement.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_.request(tensortap::StopReason::user);
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] SeenFindings findings() {
    const std::lock_guard lock(mutex_);
    const std::int64_t last = last_judged_;
    return {.list = findings_, .last_judged = last < 0 ? std::nullopt : std::optional(last), .rules = rules_};
  }

 private:
  /// A rule that finds nothing: it tells how far the others are.
  struct Progress {
    std::atomic<std::int64_t>* last;
    std::optional<tensortap::Finding> operator()(const tensortap::StepView& view) const {
      *last = view.step().global_step;
      return std::nullopt;
    }
  };

  tensortap::TrialOptions options_for(std::chrono::nanoseconds interval) {
    tensortap::TrialOptions out{.poll_interval = interval, .stop = stop_};
    out.sleep = [this](std::chrono::nanoseconds time) {
      std::unique_lock lock(mutex_);
      rests_ = true;
      wake_.wait_for(lock, time, [this] { return stop_.requested(); });
      rests_ = false;
    };
    return out;
  }

  void judge(std::vector<tensortap::Rule> rules) {
    try {
      tensortap::Verdict verdict = tensortap::evaluate(
          trial_, std::move(rules),
          {.follow = true,
           .stop = stop_,
           .on_finding = tensortap::Action([this](const tensortap::Finding& finding) { add(finding); }),
           .on_rewind = [this](const tensortap::Rewind& rewind) { withdraw(rewind); }});
      const std::lock_guard lock(mutex_);
      findings_ = std::move(verdict.findings);
      ended_ = trial_.finished();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
  }

  void add(const tensortap::Finding& finding) {
    const std::lock_guard lock(mutex_);
    findings_.push_back(finding);
  }

  /// Withdraws the findings of superseded steps: those that hold appear again.
  void withdraw(const tensortap::Rewind& rewind) {
    const std::lock_guard lock(mutex_);
    std::erase_if(findings_, [&](const tensortap::Finding& one) { return one.step.global_step > rewind.resumed_at; });
  }

  const std::size_t rules_;
  tensortap::StopSignal stop_;
  std::atomic<std::int64_t> last_judged_ = -1;
  std::atomic<bool> rests_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<tensortap::Finding> findings_;  // guarded by mutex_, as what follows
  std::exception_ptr failure_;
  bool ended_ = false;
  tensortap::Trial trial_;  // after what its options use
  std::thread thread_;
};

}  // namespace tensortap_command
