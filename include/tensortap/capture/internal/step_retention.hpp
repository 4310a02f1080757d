// Removes the oldest steps of this worker as new ones are saved, to keep to HookOptions::retention.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
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
    if (!budget_.has_limit()) return;
    const Store& store = *context.store;
    steps_.learn([&](std::string_view prefix) { return store.list(prefix); },
                 [&](const std::string& key, std::uint64_t start, std::uint64_t length) {
                   return store.get(key, {start, length});
                 });
  }

  void add_step(std::int64_t step, const std::string& index_key, const std::string& event_key, std::uint64_t bytes) {
    if (budget_.has_limit()) steps_.add_step(step, index_key, event_key, bytes);
  }

  void add_segment(std::int64_t last, std::int64_t steps, const std::string& key, std::uint64_t bytes) {
    if (budget_.has_limit()) steps_.add({.last = last, .steps = steps, .bytes = bytes, .indexes = {key}});
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
    try {
      surplus = steps_.take_surplus(budget_, last);
      if (surplus.empty()) return;
      std::uint64_t removed = 0;
      for (const StepGroup& group : surplus) removed += static_cast<std::uint64_t>(group.steps);
      context_.fence.require_no_successor();
      remove(surplus);
      context_.ledger->change([&](HookStatus& status) { status.steps_removed += removed; });
    } catch (...) {
      steps_.put_back(std::move(surplus));
    }
  }

  /// Removes the indexes first, oldest first, so that readers see a suffix of the steps, and no index without its
  /// events, not after a loss of power either.
  void remove(const std::vector<StepGroup>& groups) {
    const std::vector<std::string> indexes = keys_of(groups, &StepGroup::indexes);
    context_.store->remove_all(indexes);
    if (context_.commit_sync == Sync::yes) context_.store->sync(indexes);
    context_.store->remove_all(keys_of(groups, &StepGroup::events));
  }

  AttemptContext& context_;
  Retention budget_;
  bool has_commits_;
  RetainedSteps steps_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
