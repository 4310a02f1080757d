// Removes the oldest steps of this worker as new ones are saved, to keep to HookOptions::retention.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/retained_steps.hpp>
#include <tensortap/record/retention.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Steps after the last commit stay, and do not count: a successor that continues there then finds as many steps as the
/// budget allows. Without checkpoints all steps count. Threads: the writer's.
class StepRetention {
 public:
  /// Takes note of what earlier attempts have saved. Throws: the store failed.
  explicit StepRetention(AttemptContext& context)
      : context_(context),
        budget_(context.options.retention),
        has_commits_(!context.options.checkpoint_dir.empty() || context.options.checkpoints != nullptr),
        steps_(context.options.worker) {
    if (budget_.has_limit()) steps_.learn(*context.store);
  }

  /// Takes note of a step that was saved. Never throws: a step for which there is no memory stays.
  void add_step(std::int64_t step, const std::string& index_key, const std::string& event_key,
                std::uint64_t bytes) noexcept {
    if (budget_.has_limit()) attempt([&] { steps_.add_step(step, index_key, event_key, bytes); });
  }

  /// Takes note of a segment that was saved. Never throws, likewise.
  void add_segment(std::int64_t last, std::int64_t steps, const std::string& key, std::uint64_t bytes) noexcept {
    if (budget_.has_limit())
      attempt([&] { steps_.add({.last = last, .steps = steps, .bytes = bytes, .indexes = {key}}); });
  }

  /// Removes what is beyond the budget, in batches of a sixteenth of it. Never throws: what stays is tried again.
  void steps_saved() noexcept {
    constexpr std::int64_t part = 16;
    const bool many_steps = budget_.steps && steps_.steps() >= *budget_.steps + 1 + *budget_.steps / part;
    const bool many_bytes = budget_.bytes && steps_.bytes() > *budget_.bytes + *budget_.bytes / part;
    if (!has_commits_ && (many_steps || many_bytes)) remove_up_to(all);
  }

  /// Removes what is beyond the budget among the steps up to the commit at step `last`. Never throws.
  void committed(std::int64_t last) noexcept { remove_up_to(last); }

  /// Removes what is beyond the budget at the end of a run without commits. Never throws.
  void closed() noexcept {
    if (!has_commits_) remove_up_to(all);
  }

 private:
  static constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();

  void remove_up_to(std::int64_t last) noexcept {
    if (!budget_.has_limit()) return;
    std::vector<StepGroup> surplus;
    const bool are_removed = attempt([&] {
      surplus = steps_.take_surplus(budget_, last);
      if (surplus.empty()) return;
      context_.fence.require_no_successor();
      remove_groups(*context_.store, surplus, context_.commit_sync == Sync::yes);
      std::uint64_t removed = 0;
      for (const StepGroup& group : surplus) removed += static_cast<std::uint64_t>(group.steps);
      context_.ledger->change([&](HookStatus& status) { status.steps_removed += removed; });
    });
    if (!are_removed) attempt([&] { steps_.put_back(std::move(surplus)); });
  }

  /// Returns whether `call` has ended without an exception.
  template <class Call>
  static bool attempt(const Call& call) noexcept {
    try {
      call();
      return true;
    } catch (...) {
      return false;
    }
  }

  AttemptContext& context_;
  Retention budget_;
  bool has_commits_;
  RetainedSteps steps_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
