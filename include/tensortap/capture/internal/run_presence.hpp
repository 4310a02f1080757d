// Notices that a run was removed under its writer, by "rm -r" or by moving it to another file system: the object of the
// attempt is gone, or the claim. The steps that were lost are counted, and the run is claimed and begun again, so that
// later steps are saved. (A directory that is renamed within its file system is followed, see FileStore::claim.)
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/run_claim.hpp>
#include <tensortap/capture/internal/segment_rewind.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's.
class RunPresence {
 public:
  /// Holds the `claim` on the run.
  RunPresence(AttemptContext& context, std::unique_ptr<Claim> claim) : context_(context), claim_(std::move(claim)) {}

  /// Looks whether the run is there, unless it did so within `max_age`; `last_saved` is the last saved step. Never
  /// throws.
  void try_to_look(std::chrono::nanoseconds max_age, std::optional<std::int64_t> last_saved) noexcept {
    const auto now = std::chrono::steady_clock::now();
    if (looked_ && now - *looked_ < max_age) return;
    looked_ = now;
    try {
      look(last_saved);
    } catch (...) {  // the writes that follow report what fails
    }
  }

  /// Looks whether the run is there. Throws: the store failed.
  void look_now(std::optional<std::int64_t> last_saved) {
    context_.retries.run([&] { look(last_saved); });
  }

  /// Throws if the run was removed, once.
  void report() {
    if (const auto failure = std::exchange(unreported_, nullptr)) std::rethrow_exception(failure);
  }

  /// Releases the claim on the run.
  void release_claim() noexcept { claim_.reset(); }

 private:
  [[nodiscard]] std::string attempt_key() const {
    return layout::attempt_key(context_.attempt.number, context_.attempt.worker);
  }

  void look(std::optional<std::int64_t> last_saved) {
    if (context_.fence.is_raised()) return;
    const bool is_there = context_.store->size(attempt_key()).has_value();
    if (is_there && (!claim_ || claim_->is_held())) return;
    // A successor replaces the claim where there are no locks.
    if (is_there) context_.fence.require_no_successor();
    claim_.reset();
    claim_ = claim_run(*context_.store, layout::claim_key(context_.options.num_workers, context_.options.worker));
    if (is_there && claim_) return;  // only the claim was removed
    report_removal(claim_ ? steps_there() : 0, last_saved);
    if (!claim_ || !context_.store->put(attempt_key(), to_json(context_.attempt), context_.commit_sync, IfExists::keep))
      context_.fence.raise(Error::run_is_claimed(context_.store->location(), "it began after the run was removed"));
  }

  /// Counts and reports the steps that were saved, except `there`, which were saved since the removal.
  void report_removal(std::uint64_t there, std::optional<std::int64_t> last_saved) {
    const std::uint64_t saved = context_.ledger->status().steps_saved - lost_;
    const std::uint64_t lost = saved > there ? saved - there : 0;
    lost_ += lost;
    const Error error = Error::run_was_removed(context_.store->location(), lost);
    unreported_ = std::make_exception_ptr(error);
    context_.ledger->record_failure(unreported_, error.what());
    const std::int64_t first = context_.attempt.resumed_at + 1;
    if (lost > 0) context_.ledger->count_loss({LossReason::removed, first, last_saved.value_or(first), lost, 0, 0});
    context_.ledger->change([&](HookStatus& status) { status.notes.emplace_back(error.what()); });
    context_.callbacks.write_failed(error.what());
  }

  /// Returns how many steps of this attempt's worker were saved since the removal.
  [[nodiscard]] std::uint64_t steps_there() const {
    std::uint64_t count = 0;
    for (const ObjectInfo& object : context_.store->list(layout::index_prefix)) {
      if (const auto name = layout::parse_index_key(object.key);
          name && object.key == layout::index_key(name->global_step, context_.options.worker))
        ++count;
      if (const auto segment = layout::parse_segment_key(object.key);
          segment && segment->worker == layout::worker_in_file_name(context_.options.worker))
        count += steps_in(object);
    }
    return count;
  }

  /// Returns the number of steps in a segment; 0 if it is damaged.
  [[nodiscard]] std::uint64_t steps_in(const ObjectInfo& object) const {
    std::uint64_t count = 0;
    try {
      if (const auto manifest = load_segment_manifest(*context_.store, object.key, object.size))
        for (const SegmentEntry& entry : manifest->entries) count += entry.is_index ? 1 : 0;
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
    }
    return count;
  }

  AttemptContext& context_;
  std::unique_ptr<Claim> claim_;
  std::optional<std::chrono::steady_clock::time_point> looked_;
  std::uint64_t lost_ = 0;  // steps that were saved and then removed
  std::exception_ptr unreported_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
