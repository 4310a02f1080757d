// The options of a hook: one plain struct in which every field has a default.
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/capture/flight_recorder.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/step_observer.hpp>
#include <tensortap/capture_requests.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/retention.hpp>
#include <tensortap/retry_policy.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

class PhaseSink;
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
  keep,     ///< they stay until they are overwritten; until then smdebug's readers see them
};

/// What a failed write does to training.
enum class OnFailure : std::uint8_t {
  go_on,  ///< training continues; status(), on_error, commit() and close() report it
  stop,   ///< the next begin_step() throws it
};

/// The options of a hook: what it saves, how it writes, and how long it waits.
struct HookOptions {
  /// Reads a configuration in the form of smdebug, see HookConfiguration::from_json, whose header has the body.
  static HookOptions from_json(std::string_view path_or_text);

  // What is saved

  /// What is saved, and when. Empty: everything, at the steps of `save`.
  std::vector<Collection> collections = {};
  /// When collections without a `save` of their own are saved.
  SaveConfig save = every(500);
  /// The name of this process in the run, by convention "worker_RANK". Each process that writes into a run needs its
  /// own.
  std::string worker = "worker_0";
  /// The number of processes that write into the run. Readers count a step as complete once so many have written it. A
  /// successor may have another number: with a smaller one, what "worker_N" and up (with 1: all others) saved after the
  /// last commit no longer counts.
  std::int64_t num_workers = 1;

  /// Facts about the run that its steps do not tell: hyperparameters, the seed, versions. Each attempt saves them, and
  /// `Trial::facts` returns them. The value of a name such as "api_token" is not saved. Names and values are UTF-8, of
  /// at most 256 KiB together.
  std::map<std::string, std::string> facts = {};
  /// True: adds what this process knows, unless `facts` has it: "host", "command" (without passwords and tokens),
  /// "git_revision" (of the working directory), "compiler", "tensortap" and "started".
  bool process_facts = true;

  // What saving may cost

  /// The share of the time of training that the hook may take, between 0 and 1: 0.01 is one percent. It counts the time
  /// in `begin_step` and `save`, and the processor time of the writer's thread, divided by the number of cores. To keep
  /// to it the hook saves less of the steps that are due: statistics in place of elements, then tensors of one element
  /// alone, then fewer steps. `HookStatus::thinned` and the run itself say of which steps. commit() and flush() do not
  /// count. Empty: no limit.
  std::optional<double> budget = {};
  /// True: what the rules of `on_step` need is saved in spite of the budget.
  bool budget_spares_rules = true;
  /// How often the run is told what the hook costs, for `tensortap watch`. A run that takes less is told nothing.
  std::chrono::nanoseconds cost_interval = std::chrono::seconds(30);

  /// How much of the run this worker keeps; the oldest steps are removed, about a sixteenth of the budget at a time.
  /// With a checkpoint_dir they are removed at commit() and flush(), and steps after the last commit do not count: a
  /// successor then finds as many steps as the budget allows. A run that never commits keeps all. Each worker keeps to
  /// its own budget; with `pack`, segments go as a whole. `HookStatus::steps_removed` counts them. Objects in
  /// superseded/ and snapshots/ stay: `tensortap prune` removes them.
  Retention retention = {};

  // What rules may ask for

  /// What is kept in memory, for snapshots.
  FlightRecorder recorder = {};
  /// Where requests for snapshots, and to save more, come from: a copy of the handle in `Snapshot` and `CaptureMore`.
  /// Rules see a step after it was written, and training continues meanwhile: it depends on the time in which step a
  /// request to save more takes effect. A resumed run begins without it.
  CaptureRequests requests = {};

  // Checkpoints and resuming

  /// The directory of the checkpoints and of metadata.json, the file that lists the commits, for one run. It is made. A
  /// relative path begins at the working directory at the construction of the hook. A run can be resumed only with this
  /// directory, and only after a commit whose checkpoint files are unchanged. The workers of a run may share one if a
  /// single worker commits,
  /// after the flush() of the others.
  std::string checkpoint_dir = {};
  /// Replaces checkpoint_dir by a store of your own; commit() then takes keys of this store instead of paths.
  std::shared_ptr<Store> checkpoints = nullptr;
  /// True: begin_step() commits when files in `checkpoint_dir` have changed, as smdebug does. It examines every file
  /// there, about a microsecond each.
  bool watch_checkpoints = false;
  /// The identity of a new run, which its commits name. Give one for runs whose files are the same, byte for byte, each
  /// time. Empty: 128 random bits.
  std::string run_id = {};
  /// What happens to steps after the last commit.
  OnResume on_resume = OnResume::archive;
  /// True: a run that holds steps, but no commit in `checkpoint_dir`, begins again at step 0. Its steps are set aside
  /// as `on_resume` says, and a note in status() says how many. A run with a commit continues after that.
  bool start_over = false;
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
  /// The longest time that training waits for room in the queue.
  std::chrono::nanoseconds block_timeout = std::chrono::seconds(30);
  /// The number of saved steps in one events file. A larger number makes fewer and larger files, for stores with slow
  /// calls. All steps of a file are written together: until then readers do not see them, and a crash loses them.
  /// flush(), commit(), close() and a size of 8 MiB end a file early.
  std::int64_t events_per_file = 1;
  /// True: the files of many steps are packed into one object, a segment, for stores with slow or dear calls: one call
  /// of each commit writes all its steps. The files in it are the same, byte for byte, and all readers of tensortap see
  /// them; `tensortap unpack` puts them in their places, where smdebug sees them. commit(), flush(), close(),
  /// `pack_time` and `pack_bytes` end a segment. Until then readers and rules do not see its steps, and a crash loses
  /// them. A segment that cannot be written loses all its steps. `Durability::step` makes each segment durable.
  bool pack = false;
  /// The longest time that a finished step waits for its segment to be written: a reader that follows the run sees it
  /// so much later.
  std::chrono::nanoseconds pack_time = std::chrono::seconds(30);
  /// The size at which a segment is written, at most a quarter of `queue_bytes`. Units: bytes of tensors.
  std::uint64_t pack_bytes = std::uint64_t{32} << 20;
  /// The limit on the tensors of one step in memory. Tensors beyond the limit are dropped and counted, and so are those
  /// beyond an index of 64 MiB, some 400'000 records. Units: bytes.
  std::uint64_t max_step_bytes = std::uint64_t{4} << 30;

  // Retries and time limits

  /// How a failing write is repeated before its step is lost: any number of attempts within 30 s. Steps that are
  /// written together share the time `for_at_most`. A store may have retries of its own below these: see
  /// S3Options::retry.
  RetryPolicy retry = {};
  /// The longest times that commit(), close() and the destructor wait for the store.
  std::chrono::nanoseconds commit_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds close_timeout = std::chrono::minutes(10);
  std::chrono::nanoseconds destroy_timeout = std::chrono::seconds(20);
  /// A request to stop the loop, see `Interruption`. Its deadline shortens the time limits above.
  StopSignal stop = {};

  // Callbacks. Threads: the writer's, one call at a time.

  /// Called with each step that was written, for rules: see `Judge`. Its exceptions are counted in status(). If it has
  /// a state, each commit of this hook saves it among the checkpoint's files, and a resumed run continues with it.
  StepObserver on_step = {};
  /// Called when a write has failed for good, once until a write succeeds again. Its exceptions are ignored.
  std::function<void(std::string_view message)> on_error = {};
  /// Called in each commit with the durable state, to copy the checkpoint elsewhere: see `CheckpointSync`. commit()
  /// waits for it and rethrows its exceptions; the commit itself stays valid.
  std::function<void(const State&)> on_commit = {};

  /// What takes the times of steps and of the loop's phases, such as Tracer. Null: they are not taken.
  std::shared_ptr<PhaseSink> phases = nullptr;

  // Without writing

  /// True: the hook writes nothing; report() says for each collection what would have been saved.
  bool dry_run = false;
  /// False: the hook only counts steps.
  bool enabled = true;

  // TensorBoard

  /// True: writes curves, histograms, hyperparameters and findings for TensorBoard, too, into "tensorboard/" below the
  /// run, which `tensorboard --logdir` shows while the training goes on. With a checkpoint_dir the values of a step are
  /// written at the commit after it, so that an interrupted run has each step once; without one within a second, where
  /// objects cannot grow within 30 s. README.md says more.
  bool tensorboard = false;
  /// Where the files go instead: a directory, or "s3://BUCKET/PREFIX". It implies `tensorboard`.
  std::string tensorboard_dir = {};
  /// False: writes for TensorBoard alone, and nothing of a run. Without a tensorboard_dir the files then go to the
  /// address of the hook itself.
  bool run_files = true;

  // Compatibility with smdebug

  /// True: the index has further keys, which smdebug ignores: payload checksums and the attempt. False: the files equal
  /// smdebug's byte for byte, but readers cannot recognise steps that a superseded process writes late.
  bool index_extras = true;
  /// True: stores reductions of "a:0" under the name "a", as smdebug does for all frameworks but TensorFlow. Readers
  /// then see two tensors, "a:0" and "a".
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
