// Removes the oldest steps of a run, and what attempts have set aside, so that it fits a budget.
//
//   const auto run = tensortap::open_store("runs/42");
//   const tensortap::Pruned done = tensortap::prune(*run, {.keep = {.steps = 1000}, .superseded = true});
#pragma once

#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/retention.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// What is removed.
struct PruneOptions {
  Retention keep = {};  ///< what each worker keeps of its steps
  /// The global step of the last commit of a run that is to be continued: steps after it stay and do not count, as with
  /// HookOptions::retention. Empty: the run has ended, or begins anew. Steps that not all workers have reached stay and
  /// do not count, either.
  std::optional<std::int64_t> last_commit = {};
  bool superseded = false;  ///< also the steps that attempts have set aside
  bool snapshots = false;   ///< also the snapshots of findings
  bool dry_run = false;     ///< counts, and removes nothing
};

/// What was removed.
struct Pruned {
  std::uint64_t steps = 0;    ///< of all workers
  std::uint64_t objects = 0;  ///< files, or objects of a bucket
  std::uint64_t bytes = 0;
  std::uint64_t steps_left = 0;
  std::uint64_t bytes_left = 0;  ///< of the steps
};

/// Prunes the run in `run`. If it ends early, for any reason, the run is whole, with more steps than asked for, and the
/// next call goes on. Throws: a budget that keeps nothing; a living process writes the run; the store failed.
Pruned prune(Store& run, const PruneOptions& options);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/prune_impl.hpp>
#endif
