// The context that the parts of a publisher share: store, options and attempt, its fence, its retries and its ledger.
#pragma once

#include <memory>
#include <utility>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/attempt_fence.hpp>
#include <tensortap/capture/internal/attempt_record.hpp>
#include <tensortap/capture/internal/hook_callbacks.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/unsynced_keys.hpp>
#include <tensortap/capture/internal/write_retries.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The context of one attempt. Threads: see the members.
struct AttemptContext {
  AttemptContext(std::shared_ptr<Store> run, HookOptions with, Attempt mine, std::shared_ptr<StatusLedger> status)
      : store(std::move(run)),
        options(std::move(with)),
        attempt(std::move(mine)),
        ledger(std::move(status)),
        step_sync(options.durability == Durability::step ? Sync::yes : Sync::no),
        commit_sync(options.durability == Durability::none ? Sync::no : Sync::yes),
        fence(*store, options.worker, attempt.number),
        retries(options.retry, options.sleep, *ledger),
        unsynced(*store, step_sync, commit_sync),
        record(*store, attempt, *ledger, commit_sync, options.cost_interval),
        callbacks(options, *ledger) {}

  AttemptContext(const AttemptContext&) = delete;
  AttemptContext& operator=(const AttemptContext&) = delete;
  ~AttemptContext() = default;

  std::shared_ptr<Store> store;
  HookOptions options;
  Attempt attempt;
  std::shared_ptr<StatusLedger> ledger;
  Sync step_sync;    ///< of the files of a step
  Sync commit_sync;  ///< of everything else
  AttemptFence fence;
  WriteRetries retries;
  UnsyncedKeys unsynced;
  AttemptRecord record;
  HookCallbacks callbacks;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
