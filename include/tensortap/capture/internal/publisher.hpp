// The publisher: everything that the writer's thread does to the store, in the order of README.md. A publisher owns
// what it needs, since a writer that hangs in the store may outlive the hook.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/committer.hpp>
#include <tensortap/capture/internal/kept_steps.hpp>
#include <tensortap/capture/internal/overhead_budget.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/internal/run_presence.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_publisher.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/tensorboard_writer.hpp>
#include <tensortap/capture/internal/writer_thread.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's; `set_deadline` and `suppress_callbacks` any.
class Publisher {
 public:
  using Clock = std::chrono::steady_clock;

  /// `board` is where files for TensorBoard are written; nullopt: nowhere.
  Publisher(std::shared_ptr<Store> store, std::shared_ptr<Store> checkpoints, std::optional<TensorBoardPlace> board,
            HookOptions options, AttemptStart start, std::shared_ptr<StatusLedger> ledger,
            std::shared_ptr<KeptSteps> kept)
      : context_(std::move(store), std::move(options), std::move(start.attempt), std::move(ledger)),
        presence_(context_, std::move(start.claim)),
        board_(board ? std::make_unique<TensorBoardWriter>(context_, std::move(*board),
                                                           start.states.empty() ? nullptr : &start.states.back(),
                                                           checkpoints != nullptr)
                     : nullptr),
        steps_(context_, board_.get(), start.states.empty() ? std::nullopt : start.states.back().last_saved,
               std::move(kept)),
        committer_(context_, steps_, board_.get(), std::move(checkpoints), std::move(start.states)) {
    context_.ledger->change([&](HookStatus& status) { status.notes = std::move(start.notes); });
  }

  /// Writes steps. Never throws: lost steps are counted. Returns the processor time that this took.
  std::chrono::nanoseconds publish(std::span<const StepRecords* const> steps) noexcept {
    const auto before = thread_time();
    presence_.try_to_look(std::chrono::seconds(1), steps_.last_saved());
    steps_.publish(steps);
    const auto taken = thread_time() - before;
    context_.ledger->add_time_of_writing(taken);
    context_.record.try_to_put_cost();
    return taken;
  }

  /// Writes what can be written of a step that is still being captured. Returns false if the store cannot do that.
  /// Never throws: `publish` writes the step anyway.
  bool write_shown(const ShownRecords& shown) noexcept {
    presence_.try_to_look(std::chrono::seconds(1), steps_.last_saved());
    return steps_.write_shown(shown);
  }

  /// Makes all steps so far durable, then the state, if there is one. Throws: the run was removed (once); see
  /// `Committer::commit`.
  void commit(CommitRequest request) {
    presence_.look_now(steps_.last_saved());
    if (request.state) presence_.report();
    steps_.write_snapshots();
    committer_.commit(std::move(request));
    presence_.report();
  }

  /// Ends the run, if this is the last of its workers. Throws: see `Committer::close`.
  void close(const std::string& collections) {
    presence_.try_to_look({}, steps_.last_saved());
    steps_.write_snapshots();
    committer_.close(collections);
  }

  /// Ends all writes and retries at `deadline`.
  void set_deadline(Clock::time_point deadline) noexcept { context_.retries.set_deadline(deadline); }

  /// Suppresses all callbacks from now on; their targets may have been destroyed.
  void suppress_callbacks() noexcept { context_.callbacks.suppress(); }

  /// Abandons the step that was not published, and releases the claim on the run.
  void release_claim() noexcept {
    steps_.abandon_shown();
    presence_.release_claim();
  }

  [[nodiscard]] Store& store() const noexcept { return *context_.store; }

 private:
  AttemptContext context_;
  RunPresence presence_;                      // releases the claim before the store
  std::unique_ptr<TensorBoardWriter> board_;  // if there is one
  StepPublisher steps_;
  Committer committer_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
