// How a hook is configured: one plain struct; leave out what you do not need.
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
#include <thread>
#include <vector>

#include <tensortap/capture/state.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Seconds since 1970 by the system's clock.
inline double system_wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What becomes of a step for which the queue has no room.
enum class WhenFull : std::uint8_t {
  block,  ///< training waits, at most `block_timeout`; then steps are dropped until half the queue is free
  drop,   ///< the step is dropped and counted
};

/// When what is written reaches the disk, so that it survives a loss of power.
enum class Durability : std::uint8_t {
  none,    ///< when the system thinks fit
  commit,  ///< at commit() and close()
  step,    ///< each step, before the next is written; about a millisecond each
};

/// What becomes of steps after the last commit when a run is resumed.
enum class OnResume : std::uint8_t {
  archive,  ///< moved to superseded/
  discard,  ///< removed
  keep,     ///< left until they are written again; readers other than ours see them until then
};

/// What a failed write does to training.
enum class OnFailure : std::uint8_t {
  go_on,  ///< nothing: it is told by status(), on_error, commit() and close()
  stop,   ///< the next begin_step() throws it
};

/// What a hook saves, as whom, and with which promises.
struct HookOptions {
  /// What is saved when. Without any: everything, as `save` says.
  std::vector<Collection> collections = {};

  /// When collections without a `save` of their own are saved.
  SaveConfig save = every(500);

  /// Who writes. Each process that writes into a run needs a name of its own, "worker_RANK" by custom; all of them must
  /// say how many there are, or readers take a step for complete before it is.
  std::string worker = "worker_0";
  std::int64_t num_workers = 1;

  /// Where checkpoints lie, and the state beside them: a directory, which a successor has to find as it was. With it a
  /// run can be resumed. Several workers may share one if only one of them commits, after the others' flush().
  std::string checkpoint_dir = {};
  /// The same as a store of your own; paths given to commit() are then its keys.
  std::shared_ptr<Store> checkpoints = nullptr;
  /// Commit by itself when files in `checkpoint_dir` have changed, as smdebug does: for configurations that expect it.
  /// Each begin_step() looks at every file there (a microsecond each).
  bool watch_checkpoints = false;
  OnResume on_resume = OnResume::archive;
  bool resume_ended = false;  ///< go on with a run that has ended

  Durability durability = Durability::commit;
  OnFailure on_failure = OnFailure::go_on;

  /// Steps that wait for being written. Units: bytes of their tensors; one step may be larger.
  std::uint64_t queue_bytes = std::uint64_t{256} << 20;
  WhenFull when_full = WhenFull::block;
  std::chrono::nanoseconds block_timeout = std::chrono::seconds(30);

  /// How many saved steps share one events object. More than one makes fewer and larger objects, for stores where each
  /// call takes its time; steps are seen, and survive the process, only when so many are together. A file is cut before
  /// at flush(), commit() and close(), and beyond 8 MiB.
  std::int64_t events_per_file = 1;

  /// A step keeps its tensors in memory until it is written. What would go beyond this is dropped and counted. Units:
  /// bytes.
  std::uint64_t max_step_bytes = std::uint64_t{4} << 30;

  /// How long a failing write is repeated before the step is lost.
  std::chrono::nanoseconds retry_for = std::chrono::seconds(30);
  /// How long commit(), close() and the destructor wait at most for the store.
  std::chrono::nanoseconds commit_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds close_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds destroy_timeout = std::chrono::seconds(20);

  /// Asks the loop to stop, see `Interruption`.
  StopSignal stop = {};

  /// Called with each step that was written, for rules: see `judge`. Threads: the writer's, one call at a time.
  /// What it throws is counted in status().
  std::function<void(const StepView&)> on_step = {};
  /// Called when a write has failed for good after one that had not. Threads: the writer's. What it throws is ignored.
  std::function<void(std::string_view message)> on_error = {};

  /// Called in each commit with the state once it is durable, to bring the checkpoint elsewhere: see `CheckpointSync`.
  /// commit() waits for it and throws what it throws; the commit itself stays as it is then. Threads: the writer's.
  std::function<void(const State&)> on_commit = {};

  /// Nothing is written; report() says per collection what would have been, and how much.
  bool dry_run = false;
  /// False: the hook does nothing at all, as fast as can be.
  bool enabled = true;

  /// Our own keys in the index, which smdebug ignores: payload checksums and the attempt. Without them its files are
  /// matched byte for byte, but nothing tells a late writer's steps.
  bool index_extras = true;

  /// Name reductions of "a:0" as reductions of "a", as smdebug does for all frameworks but TensorFlow. Readers then see
  /// two tensors.
  bool strip_output_numbers = false;

  /// The time stamped on records. Units: seconds since 1970. Threads: those that save.
  std::function<double()> wall_time = system_wall_time;
  /// How the writer waits between retries.
  std::function<void(std::chrono::nanoseconds)> sleep = [](std::chrono::nanoseconds t) {
    std::this_thread::sleep_for(t);
  };
};

TENSORTAP_END_NAMESPACE
