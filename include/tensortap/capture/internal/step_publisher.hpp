// Puts steps into the store: first their events, several files at once where the store gains from it, then the indexes
// that lead to them, in the order of the steps. Repeats failed writes and counts lost steps.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/early_events.hpp>
#include <tensortap/capture/internal/kept_steps.hpp>
#include <tensortap/capture/internal/snapshot_writer.hpp>
#include <tensortap/capture/internal/step_encoder.hpp>
#include <tensortap/capture/internal/step_files.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/step_retention.hpp>
#include <tensortap/capture/internal/step_segment.hpp>
#include <tensortap/capture/internal/tensorboard_writer.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/failure_message.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's.
class StepPublisher {
 public:
  /// `board` is null if nothing is written for TensorBoard.
  StepPublisher(AttemptContext& context, TensorBoardWriter* board, std::optional<std::int64_t> last_saved,
                std::shared_ptr<KeptSteps> kept)
      : context_(context),
        board_(board),
        snapshots_(context, std::move(kept)),
        early_(context),
        retention_(context),
        files_(context.options.worker,
               context.options.index_extras ? std::optional(context.attempt.number) : std::nullopt,
               context.options.strip_output_numbers, static_cast<std::size_t>(context.options.events_per_file)),
        last_saved_(last_saved) {}

  /// Writes a beginning of the events of a step that is still being captured. Returns false if the store cannot do
  /// that.
  bool write_shown(const ShownRecords& shown) noexcept { return early_.write(shown, !is_failing_ && !stop_reason()); }

  /// Abandons the step of which only a beginning is written.
  void abandon_shown() noexcept { early_.abandon(); }

  /// Writes steps. Puts an index once its events and those of all earlier steps are stored. Never throws: counts
  /// losses.
  void publish(std::span<const StepRecords* const> steps) noexcept {
    retry_budget_ = is_failing_ ? std::chrono::nanoseconds(0) : context_.options.retry.for_at_most;
    const auto stopped = stop_reason();
    early_.keep_only(*steps.front());
    if (context_.options.pack) return publish_segment(steps, stopped);
    std::size_t next = 0;  // the first step without a result
    const bool are_encoded = !stopped && put_events(steps, [&](std::size_t file) noexcept {
      if (!puts_[file].is_done) return;
      for (; next < steps.size() && files_.file_of(next) == file; ++next) finish_step(next, *steps[next]);
    });
    for (; next < steps.size(); ++next) {
      std::optional<LossReason> reason = stopped;
      if (!reason && !(are_encoded && puts_[files_.file_of(next)].is_done)) reason = LossReason::write_failed;
      finish_step(next, *steps[next], reason);
    }
    early_.abandon();
    retention_.steps_saved();
  }

  /// Returns what removes old steps.
  [[nodiscard]] StepRetention& retention() noexcept { return retention_; }

  /// Writes the snapshots that were asked for.
  void write_snapshots() noexcept { snapshots_.write_requested(); }

  /// Returns how many steps were lost since the last call.
  [[nodiscard]] std::uint64_t take_lost_steps() noexcept { return std::exchange(lost_steps_, 0); }

  /// Returns the last failure since the last call, which caused such losses; empty if there was none.
  [[nodiscard]] std::string take_cause() noexcept { return std::exchange(cause_, {}); }

  /// The last global step with a saved record.
  [[nodiscard]] std::optional<std::int64_t> last_saved() const noexcept { return last_saved_; }

 private:
  /// The progress of one events file.
  struct Put {
    bool is_done = false;
    bool exists = false;    // another object has the key
    bool is_noted = false;  // for the next sync
    std::exception_ptr failure;
  };

  static constexpr std::chrono::seconds fence_max_age{1};

  /// Returns the reason why no more steps may be written; nullopt if there is none.
  [[nodiscard]] std::optional<LossReason> stop_reason() const noexcept {
    if (context_.fence.is_raised()) return LossReason::fenced;
    if (context_.retries.is_past_deadline()) return LossReason::out_of_time;
    return std::nullopt;
  }

  /// Puts the events of `steps` and keeps the results in `puts_`. After each try to put file i, calls `then(i)`, in the
  /// order of the files. Returns false if the steps could not be encoded.
  template <class Then>
  bool put_events(std::span<const StepRecords* const> steps, const Then& then) noexcept {
    bool are_encoded = false;
    try {
      files_.encode(steps);
      puts_.assign(files_.events().size(), {});
      are_encoded = true;
      context_.retries.run(retry_budget_, [&] {
        context_.fence.require_no_successor(fence_max_age);
        put_missing_events(then);
      });
    } catch (...) {
      report_failure(std::current_exception());
    }
    return are_encoded;
  }

  /// Puts every events file that is not yet stored. Throws: the first failure.
  template <class Then>
  void put_missing_events(const Then& then) {
    const auto files = files_.events();
    parallel_for(
        files.size(), context_.store->concurrency(),
        [&](std::size_t i) {
          if (puts_[i].is_done) return;
          puts_[i].failure = nullptr;
          try {
            puts_[i].is_done = files[i].key.empty() || put_new(files[i], i == 0 && early_.has_begun());
            puts_[i].exists = !puts_[i].is_done;
          } catch (...) {
            puts_[i].failure = std::current_exception();
          }
        },
        [&](std::size_t i) noexcept {
          if (std::exchange(puts_[i].exists, false)) replace_events(i);
          if (puts_[i].is_done && !files[i].key.empty() && !std::exchange(puts_[i].is_noted, true))
            context_.unsynced.add_events(files[i].key);
          then(i);
        });
    for (const Put& put : puts_)
      if (put.failure) std::rethrow_exception(put.failure);
  }

  /// Writes steps as one segment: then all of them are saved, or all are lost.
  void publish_segment(std::span<const StepRecords* const> steps, std::optional<LossReason> stopped) noexcept {
    bool is_saved = false;
    try {
      if (!stopped) {
        files_.encode(steps);
        SegmentWriter segment = make_segment(files_, steps, context_.options.worker, context_.attempt.number);
        context_.retries.run(retry_budget_, [&] { put_segment(segment.key(), segment.finish()); });
        is_saved = true;
        retention_.add_segment(steps.back()->step().global_step, static_cast<std::int64_t>(steps.size()), segment.key(),
                               segment.size());
      }
    } catch (...) {
      report_failure(std::current_exception());
    }
    if (is_saved && std::exchange(is_failing_, false)) context_.record.try_to_put_losses();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (is_saved) {
        count_saved(*steps[i], files_.step(i).bytes());
      } else {
        count_lost(*steps[i], stopped);
      }
      snapshots_.pass(steps[i]->step().global_step);
    }
    retention_.steps_saved();
  }

  void put_segment(const std::string& key, std::span<const Bytes> pieces) {
    context_.fence.require_no_successor(fence_max_age);
    if (!context_.store->put(key, pieces, context_.step_sync, IfExists::keep)) {  // by an earlier try of this attempt
      context_.fence.require_no_successor();
      context_.store->put(key, pieces, context_.step_sync, IfExists::replace);
    }
    context_.unsynced.add_index(key);
  }

  /// Puts an events file, or the rest of it. Returns false if there is such an object already.
  bool put_new(const StepFiles::Events& file, bool has_begun) {
    if (has_begun) return early_.finish(file.pieces, file.size, context_.step_sync);
    return context_.store->put(file.key, file.pieces, context_.step_sync, IfExists::keep);
  }

  /// Replaces the events file of an earlier attempt.
  void replace_events(std::size_t i) noexcept {
    const StepFiles::Events& file = files_.events()[i];
    try {
      context_.fence.require_no_successor();
      context_.store->put(file.key, file.pieces, context_.step_sync, IfExists::replace);
      puts_[i].is_done = true;
    } catch (...) {
      puts_[i].failure = std::current_exception();
    }
  }

  /// Puts the index of step `i`, unless `reason` says that the step is lost. Counts the step as saved or lost.
  void finish_step(std::size_t i, const StepRecords& records, std::optional<LossReason> reason = {}) noexcept {
    publish_index(i, records, reason);
    snapshots_.pass(records.step().global_step);
  }

  void publish_index(std::size_t i, const StepRecords& records, std::optional<LossReason> reason) noexcept {
    if (!reason) reason = stop_reason();
    if (!reason && put_index(files_.step(i))) {
      if (std::exchange(is_failing_, false)) context_.record.try_to_put_losses();
      const StepEncoder& step = files_.step(i);
      const StepFiles::Events& events = files_.events()[files_.file_of(i)];
      retention_.add_step(records.step().global_step, step.index_key(), events.key, step.bytes() + step.index().size());
      count_saved(records, step.bytes());
      return;
    }
    count_lost(records, reason);
  }

  void count_lost(const StepRecords& records, std::optional<LossReason> reason) noexcept {
    ++lost_steps_;
    const std::int64_t at = records.step().global_step;
    if (context_.fence.is_raised()) reason = LossReason::fenced;
    context_.ledger->count_loss(
        {reason.value_or(LossReason::write_failed), at, at, 1, records.count(), records.bytes()});
  }

  /// Puts the index of a step. Replaces one of an earlier attempt. Returns false on failure, for instance if a later
  /// attempt wrote one.
  bool put_index(const StepEncoder& step) noexcept {
    try {
      context_.retries.run(retry_budget_, [&] {
        context_.fence.require_no_successor(fence_max_age);
        const Bytes text = bytes_of(step.index());
        if (!context_.store->put(step.index_key(), std::span(&text, 1), context_.step_sync, IfExists::keep)) {
          context_.fence.require_no_successor();
          context_.fence.require_older(step.index_key());
          context_.store->put(step.index_key(), std::span(&text, 1), context_.step_sync, IfExists::replace);
        }
        context_.unsynced.add_index(step.index_key());
      });
      return true;
    } catch (...) {
      report_failure(std::current_exception());
      return false;
    }
  }

  void count_saved(const StepRecords& step, std::uint64_t bytes) noexcept {
    last_saved_ = step.step().global_step;
    context_.ledger->change([&](HookStatus& status) {
      ++status.steps_saved;
      status.records_saved += step.size();
      status.bytes_saved += bytes;
    });
    context_.unsynced.sync_if_many();
    context_.callbacks.step_written(step);
    if (board_ != nullptr) board_->add(step, context_.callbacks.step_texts());
    snapshots_.write_requested();
  }

  /// Records a failure. Calls `on_error` for the first one after a success.
  void report_failure(const std::exception_ptr& failure) noexcept {
    use_message(failure, [&](std::string_view message) {
      context_.ledger->record_failure(failure, message);
      cause_ = message;
      if (!std::exchange(is_failing_, true)) context_.callbacks.write_failed(message);
    });
  }

  AttemptContext& context_;
  TensorBoardWriter* board_;
  SnapshotWriter snapshots_;
  EarlyEvents early_;
  StepRetention retention_;
  StepFiles files_;
  std::vector<Put> puts_;                    // by events file
  std::chrono::nanoseconds retry_budget_{};  // of the steps that are being written
  std::optional<std::int64_t> last_saved_;
  std::uint64_t lost_steps_ = 0;
  std::string cause_;        // of the last loss
  bool is_failing_ = false;  // since the last success
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
