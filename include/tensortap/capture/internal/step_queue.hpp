// The queue between training and the publisher: hands over finished steps, and runs commits behind them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/overhead_budget.hpp>
#include <tensortap/capture/internal/publisher.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_capture.hpp>
#include <tensortap/capture/internal/step_files.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/tensor_table.hpp>
#include <tensortap/capture/internal/writer_thread.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the loop's; `depth` any.
class StepQueue {
 public:
  using Clock = WriterThread::Clock;

  /// Starts the writer's thread, which keeps `publisher` and `names` alive.
  StepQueue(const HookOptions& options, std::shared_ptr<Publisher> publisher, std::shared_ptr<TensorTable> names,
            StatusLedger& ledger, std::shared_ptr<OverheadBudget> budget)
      : ledger_(ledger), budget_(std::move(budget)), publisher_(std::move(publisher)) {
    // A slow store gets several times as many steps as it handles at the same time, so that it is seldom idle.
    const std::size_t at_once = publisher_->store().concurrency();
    BatchPolicy policy{.steps = static_cast<std::size_t>(options.events_per_file),
                       .times = at_once > 1 ? 8 * at_once : 1,
                       .bytes = options.events_per_file > 1 ? StepFiles::enough : 0};
    if (options.pack)
      policy = {.steps = SegmentHeader::most_steps, .bytes = options.pack_bytes, .time = options.pack_time};
    writer_ = std::make_unique<WriterThread>(
        options.queue_bytes,
        [to = publisher_, names = std::move(names), budget = budget_,
         phases = options.phases](std::span<const StepRecords* const> steps) {
          const PhaseScope phase(phases.get(), "Writer", Mode::train, -1);
          const auto taken = to->publish(steps);
          if (budget) budget->add_written(steps.front()->detail(), taken, steps.size());
        },
        policy,
        policy.steps > 1 ? WriterThread::WriteShown()
                         : [to = publisher_](const ShownRecords& shown) { return to->write_shown(shown); });
  }

  [[nodiscard]] Publisher& publisher() const noexcept { return *publisher_; }
  [[nodiscard]] QueueDepth depth() const { return writer_->depth(); }
  /// Returns whether this is the writer's own thread, which runs the callbacks: it must not wait for itself.
  [[nodiscard]] bool is_writer() const noexcept { return writer_->is_own_thread(); }

  /// Gives `capture` records for the next step. Without memory for them the step keeps nothing and counts its losses.
  void give_records(StepCapture& capture) {
    try {
      capture.set_records(writer_->empty_step(), writer_.get());
    } catch (const std::bad_alloc&) {
      capture.set_records(nullptr, nullptr);
    }
  }

  /// Ends the step of `capture` and queues its records, if there are any. Counts them as lost if there is no room
  /// before `deadline`.
  void push_step_of(StepCapture& capture, Clock::time_point deadline) {
    std::shared_ptr<QueuedStep>* const step = capture.end_step();
    if (step == nullptr) {
      if (capture.has_shown_records()) give_records(capture);  // the writer may still read those of this step
      return;
    }
    Clock::duration waited{};
    const bool is_pushed = writer_->push(*step, deadline, &waited);
    if (waited > Clock::duration::zero()) {
      ledger_.change([&](HookStatus& status) { status.blocked += waited; });
      ledger_.add_time_in_training(waited);
      if (budget_) budget_->add(waited);
    }
    if (is_pushed) return give_records(capture);
    capture.forget_step();
    const StepRecords& lost = (*step)->records;
    const std::int64_t at = lost.step().global_step;
    ledger_.count_loss({LossReason::queue_full, at, at, 1, lost.count(), lost.bytes()});
  }

  /// Runs `job` with the publisher on the writer's thread, after all queued steps. Returns false if it has not ended by
  /// `deadline`. Throws: what `job` throws.
  bool run(std::function<void(Publisher&)> job, Clock::time_point deadline) {
    return writer_->run([to = publisher_, job = std::move(job)] { job(*to); }, deadline);
  }

  /// Ends the thread and releases the run. At `deadline` it leaves the thread running instead, suppresses the callbacks
  /// and counts the queued steps as lost; `last_step` is the last of them.
  void stop(Clock::time_point deadline, std::int64_t last_step) {
    if (writer_->stop(deadline)) {
      publisher_->release_claim();
    } else {
      publisher_->suppress_callbacks();
      ledger_.count_loss({LossReason::out_of_time, last_step, last_step, writer_->depth().steps, 0, 0});
    }
  }

  /// Leaks the writer and the publisher. For a forked child: it has no writer's thread to join, and must not release
  /// the claim of its parent.
  void leak() noexcept {
    (void)writer_.release();
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): out of memory ends the child
    (void)new std::shared_ptr<Publisher>(std::move(publisher_));
  }

 private:
  StatusLedger& ledger_;
  std::shared_ptr<OverheadBudget> budget_;  // if there is one
  std::shared_ptr<Publisher> publisher_;
  std::unique_ptr<WriterThread> writer_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
