// The options of a hook: one plain struct in which every field has a default.
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/capture/state.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/retry_policy.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// Returns the seconds since 1970 by the system's clock.
double system_wall_time();

namespace detail {

/// Blocks the calling thread for `time`.
void system_sleep(std::chrono::nanoseconds time);

}  // namespace detail

/// What happens to a step for which the queue has no room.
enum class WhenFull : std::uint8_t {
  block,  ///< training waits, at most `block_timeout`; then steps are dropped until half of the queue is free
  drop,   ///< the step is dropped and counted
};

/// When written data reaches the disk, so that it survives a loss of power.
enum class Durability : std::uint8_t {
  none,    ///< when the operating system writes it
  commit,  ///< at commit() and close()
  step,    ///< at each step, before the next one is written; about a millisecond each
};

/// What happens to steps after the last commit when a run is resumed.
enum class OnResume : std::uint8_t {
  archive,  ///< they are moved to superseded/
  discard,  ///< they are removed
  keep,     ///< they stay until they are written again; readers other than ours see them until then
};

/// What a failed write does to training.
enum class OnFailure : std::uint8_t {
  go_on,  ///< nothing: status(), on_error, commit() and close() report it
  stop,   ///< the next begin_step() throws it
};

/// What a hook saves, under which name, and with which promises.
struct HookOptions {
  // What is saved

  /// What is saved, and when. Empty: everything, at the steps of `save`.
  std::vector<Collection> collections = {};
  /// When collections without a `save` of their own are saved.
  SaveConfig save = every(500);
  /// The name of this process in the run, by convention "worker_RANK". Each process that writes into a run needs its
  /// own.
  std::string worker = "worker_0";
  /// How many processes write into the run. With too small a number readers take a step for complete too early.
  std::int64_t num_workers = 1;

  // Checkpoints and resuming

  /// The directory of the checkpoints and of the state beside them. A run can be resumed only with it, and only if the
  /// successor finds its content unchanged. Several workers may share one if a single worker commits, after the
  /// flush() of the others.
  std::string checkpoint_dir = {};
  /// The same as a store of your own; paths given to commit() are then its keys.
  std::shared_ptr<Store> checkpoints = nullptr;
  /// True: begin_step() commits when files in `checkpoint_dir` have changed, as smdebug does. It examines every file
  /// there, about a microsecond each.
  bool watch_checkpoints = false;
  /// What happens to steps after the last commit.
  OnResume on_resume = OnResume::archive;
  /// True: a run that has ended may be resumed.
  bool resume_ended = false;

  // Durability

  /// When written data reaches the disk.
  Durability durability = Durability::commit;
  /// What a failed write does to training.
  OnFailure on_failure = OnFailure::go_on;

  // The queue before the writer

  /// The capacity of the queue; a single step may be larger. Units: bytes of tensors.
  std::uint64_t queue_bytes = std::uint64_t{256} << 20;
  /// What happens to a step for which the queue has no room.
  WhenFull when_full = WhenFull::block;
  /// How long training waits for room at most.
  std::chrono::nanoseconds block_timeout = std::chrono::seconds(30);
  /// How many saved steps share one events object. More than one makes fewer and larger objects, for stores with slow
  /// calls. Steps become visible, and survive the process, when that many are together. flush(), commit(), close() and
  /// a size of 8 MiB end a file early.
  std::int64_t events_per_file = 1;
  /// What a step may hold in memory until it is written. Tensors beyond it are dropped and counted. Units: bytes.
  std::uint64_t max_step_bytes = std::uint64_t{4} << 30;

  // Retries and time limits

  /// How a failing write is repeated before the step is lost: any number of attempts within 30 s. The time of
  /// `for_at_most` counts for all steps that are written together.
  RetryPolicy retry = {};
  /// How long commit(), close() and the destructor wait for the store at most.
  std::chrono::nanoseconds commit_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds close_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds destroy_timeout = std::chrono::seconds(20);
  /// Asks the loop to stop, see `Interruption`. Its deadline shortens the time limits.
  StopSignal stop = {};

  // Callbacks. Threads: the writer's, one call at a time.

  /// Called with each step that was written, for rules: see `judge`. Its exceptions are counted in status().
  std::function<void(const StepView&)> on_step = {};
  /// Called when a write has failed for good, once until a write succeeds again. Its exceptions are ignored.
  std::function<void(std::string_view message)> on_error = {};
  /// Called in each commit with the durable state, to copy the checkpoint elsewhere: see `CheckpointSync`. commit()
  /// waits for it and rethrows its exceptions; the commit itself stays valid.
  std::function<void(const State&)> on_commit = {};

  // Without writing

  /// True: nothing is written; report() says what would be, for each collection.
  bool dry_run = false;
  /// False: the hook only counts steps.
  bool enabled = true;

  // Compatibility with smdebug

  /// True: the index has further keys, which smdebug ignores: payload checksums and the attempt. False: its files are
  /// matched byte for byte, but readers cannot recognise the steps of a late writer.
  bool index_extras = true;
  /// True: reductions of "a:0" are named reductions of "a", as smdebug does for all frameworks but TensorFlow. Readers
  /// then see two tensors.
  bool strip_output_numbers = false;

  // For tests

  /// Returns the time stamped on records. Units: seconds since 1970. Threads: those that save.
  std::function<double()> wall_time = system_wall_time;
  /// Blocks the writer between retries.
  std::function<void(std::chrono::nanoseconds)> sleep = detail::system_sleep;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/hook_options_impl.hpp>
#endif
