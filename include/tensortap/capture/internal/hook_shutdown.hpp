// The end of a hook: writes the queued steps, within a deadline, then releases the run. close() reports failures and
// ends the run; the destructor never throws and leaves the run open, like an interruption.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <tensortap/capture/internal/committer.hpp>
#include <tensortap/capture/internal/publisher.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_capture.hpp>
#include <tensortap/capture/internal/step_queue.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the loop's.
class HookShutdown {
 public:
  using Clock = StepQueue::Clock;

  /// Ends all writes at `deadline`. `last_step` is the last global step.
  HookShutdown(StepCapture& capture, StepQueue& queue, Clock::time_point deadline, std::int64_t last_step)
      : capture_(capture), queue_(queue), deadline_(deadline), last_step_(last_step) {
    queue_.publisher().set_deadline(deadline);
  }

  /// Writes the queued steps and ends the run. Throws: the first failed write of the hook; the deadline has passed.
  void close(const StatusLedger& ledger) {
    queue_.push_step_of(capture_, deadline_);
    std::exception_ptr failure;
    bool has_ended = false;
    try {
      has_ended = queue_.run(
          [collections = capture_.collections_text()](Publisher& publisher) { publisher.close(collections); },
          deadline_);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::uint64_t waiting = queue_.depth().steps;
    queue_.stop(deadline_, last_step_);
    if (const auto first = ledger.failure()) std::rethrow_exception(first);
    if (failure) std::rethrow_exception(failure);
    if (!has_ended) throw Error::out_of_time("close", queue_.publisher().store().location(), waiting);
  }

  /// Writes the queued steps and leaves the run open. Drops the current step during stack unwinding: it may be
  /// incomplete. A callback that ends the program comes here too: the writer's thread cannot wait for itself.
  void leave_open() noexcept {
    if (queue_.is_writer()) return queue_.stop(Clock::now(), last_step_);
    try {
      if (!capture_.is_unwinding()) queue_.push_step_of(capture_, deadline_);
      queue_.run(
          [collections = capture_.collections_text()](Publisher& publisher) {
            publisher.commit({collections, std::nullopt, {}});
          },
          deadline_);
    } catch (...) {  // a destructor cannot report it
    }
    queue_.stop(deadline_, last_step_);
  }

 private:
  StepCapture& capture_;
  StepQueue& queue_;
  Clock::time_point deadline_;
  std::int64_t last_step_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
