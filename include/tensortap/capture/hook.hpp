// The hook: what a training loop holds. It is told when a step begins and shown every tensor by name; it decides what
// is kept, copies or reduces it, and leaves the writing to a thread of its own. In between it costs next to nothing,
// and it never throws into a running training except for misuse: a failed write is kept for status(), commit() and
// close(). After an interruption a hook on the same run goes on after the last commit.
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
//   hook.begin_step();
//   hook.save("loss", 0.5);
//   hook.close();
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/catalog.hpp>
#include <tensortap/capture/internal/checkpoint_watch.hpp>
#include <tensortap/capture/internal/publisher.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/writer_thread.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/capture/resumed.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/tensor/as_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Writes one worker's part of a run.
/// Threads: `save`, `status` and `due` from any thread between two `begin_step`; everything else from the loop's
/// thread. In a forked child it does nothing.
class Hook {
 public:
  using Clock = std::chrono::steady_clock;

  /// A run in `address`, a directory. Throws: misuse in the options; a run that has ended, that another process writes,
  /// or that holds steps though no checkpoint_dir is named; no commit whose checkpoint is intact; a store that fails.
  explicit Hook(std::string_view address, HookOptions options = {})
      : Hook(options.enabled ? open_store(address) : nullptr, std::move(options)) {}

  /// A run in a store of your own.
  explicit Hook(std::shared_ptr<Store> store, HookOptions options = {})
      : options_(std::move(options)),
        catalog_(options_.collections, options_.save),
        watch_(options_.watch_checkpoints ? options_.checkpoint_dir : std::string()) {
    mode_steps_.fill(-1);
    check_options();
    if (options_.enabled && !options_.dry_run) begin(std::move(store));
  }

  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  /// Writes what waits, within `destroy_timeout`, unless an exception is passing through, which loses the step under
  /// way; leaves the run open, as an interrupted one. Never throws.
  ~Hook() {
    if (is_foreign()) {  // a forked child has no writer's thread: it can neither be joined nor told
      (void)writer_.release();
      (void)new std::shared_ptr<detail::Publisher>(std::move(publisher_));  // nor may the child let the claim go
      return;
    }
    if (closed_ || !writer_) return;
    const auto deadline = deadline_in(options_.destroy_timeout);
    try {
      publisher_->give_up(deadline);
      if (std::uncaught_exceptions() == exceptions_) push_step(deadline);
      writer_->run(
          [publisher = publisher_, text = collections_text()] {
            publisher->commit({text, {}, {}});
          },
          deadline);
    } catch (...) {  // a destructor has nobody to tell
    }
    end_writing(deadline);
  }

  /// Where this run goes on; nothing if it begins.
  [[nodiscard]] const std::optional<Resumed>& resumed() const noexcept { return resumed_; }

  /// Begins the next step of the last mode (TRAIN at first). The step before is handed to the writer now.
  void begin_step() { begin_step(mode_); }

  /// Begins the next step of `mode`.
  void begin_step(Mode mode) {
    const std::int64_t global_step = global_step_ + 1;
    start({mode, mode == Mode::global ? global_step : mode_steps_[index_of(mode)] + 1, global_step});
  }

  /// Begins step `mode_step` of `mode`; a GLOBAL one is the global step too. Throws: it does not grow.
  void begin_step(Mode mode, std::int64_t mode_step) {
    if (mode_step <= mode_steps_[index_of(mode)])
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(mode)], mode_step);
    start({mode, mode_step, mode == Mode::global ? mode_step : global_step_ + 1});
  }

  /// Begins exactly this step, for loops with a numbering of their own and for copying runs. Throws: the global step
  /// does not grow, or the mode step shrinks.
  void begin_step(const Step& step) {
    if (step.global_step <= global_step_)
      throw Error::step_not_growing("the global step", global_step_, step.global_step);
    if (step.mode_step < std::max<std::int64_t>(mode_steps_[index_of(step.mode)], 0))
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(step.mode)], step.mode_step);
    start(step);
  }

  /// The step of the current mode; -1 before the first.
  [[nodiscard]] std::int64_t step() const noexcept { return mode_steps_[index_of(mode_)]; }
  /// The step among all; -1 before the first.
  [[nodiscard]] std::int64_t global_step() const noexcept { return global_step_; }
  [[nodiscard]] Mode mode() const noexcept { return mode_; }
  /// The number the next step of `mode` will have.
  [[nodiscard]] std::int64_t next_step(Mode mode) const noexcept {
    return mode == Mode::global ? global_step_ + 1 : mode_steps_[index_of(mode)] + 1;
  }
  [[nodiscard]] std::int64_t next_step() const noexcept { return next_step(mode_); }

  /// Whether `collection` is saved in this step: spares the work of getting tensors that are not. Throws: no such
  /// collection.
  [[nodiscard]] bool due(std::string_view collection) const {
    const auto i = catalog_.selection().find(collection);
    if (!i) throw Error::unknown_collection(collection);
    return in_step_ && options_.enabled && catalog_.selection().due(*i);
  }

  /// Shows `tensor`, anything `as_view` takes, under `name`. It is looked at only if something is due, and the first
  /// time; what is due is copied or reduced before this returns. Throws: misuse (no step has begun, a name that is too
  /// long or not UTF-8, a tensor on a device), at first sight.
  template <class T>
  void save(std::string_view name, const T& tensor) {
    if (!options_.enabled) return;
    const auto [known, due] = look_up(name);
    if (known == nullptr || due) take(name, known, as_view(tensor, name));
  }

  /// All saved so far belongs to `checkpoint`, a file or folder below checkpoint_dir that holds all of the training; on
  /// return both are as durable as `durability` says, and a successor goes on from here. Ends the step. Without a path
  /// the loop must know by itself what belongs to the step. Throws: steps were lost since the last commit (once: the
  /// next commit goes on without them); the store failed; it took longer than `timeout`, by default `commit_timeout` or
  /// what is left until the machine goes; then the commit before stays the last one. Or `on_commit` threw.
  void commit(std::string_view checkpoint = {}, std::optional<std::chrono::nanoseconds> timeout = {}) {
    if (!options_.enabled || options_.dry_run || is_foreign()) return;
    if (!checkpoints_) throw Error::no_checkpoint_dir();
    std::vector<std::string> files;
    if (!checkpoint.empty()) files.push_back(checkpoint_key(checkpoint));
    commit_files(std::move(files), timeout);
  }

  /// All saved so far is durable on return. Ends the step. Throws as `commit` does.
  void flush(std::optional<std::chrono::nanoseconds> timeout = {}) {
    if (!options_.enabled || options_.dry_run || is_foreign()) return;
    submit("flush", {collections_text(), std::nullopt, {}}, timeout);
  }

  /// Whether the loop is asked to stop, and the time left for that if it is known.
  [[nodiscard]] bool interrupted() const noexcept { return options_.stop.requested(); }
  [[nodiscard]] std::optional<Clock::duration> time_left() const noexcept { return options_.stop.time_left(); }

  /// What was done so far.
  [[nodiscard]] HookStatus status() const {
    HookStatus out;
    if (publisher_) out = publisher_->status();
    if (writer_) {
      const detail::QueueDepth depth = writer_->depth();
      out.steps_queued = depth.steps;
      out.bytes_queued = depth.bytes;
    }
    return out;
  }

  /// What was saved of each collection, or would have been in a dry run.
  [[nodiscard]] Report report() const {
    const std::lock_guard lock(mutex_);
    return catalog_.report(options_.dry_run);
  }

  /// Writes what waits, the collections and the end marker: the run has ended. Throws: the first failed write; it took
  /// longer than `close_timeout`.
  void close() {
    if (closed_ || is_foreign()) return;
    closed_ = true;
    if (!writer_) return;
    const auto deadline = deadline_in(options_.close_timeout);
    publisher_->give_up(deadline);
    push_step(deadline);
    std::exception_ptr failure;
    bool done = false;
    try {
      done = writer_->run([publisher = publisher_, text = collections_text()] { publisher->close(text); }, deadline);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::uint64_t waiting = writer_->depth().steps;
    end_writing(deadline);
    if (const auto first = publisher_->failure()) std::rethrow_exception(first);
    if (failure) std::rethrow_exception(failure);
    if (!done) throw Error::out_of_time("close", publisher_->store().location(), waiting);
  }

 private:
  void check_options() const {
    const std::string& worker = options_.worker;
    const auto allowed = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("_-.:/").find(c) != std::string_view::npos;
    };
    if (worker.empty() || worker.size() > 200 || worker[0] == '.' ||
        !std::all_of(worker.begin(), worker.end(), allowed))
      throw Error::bad_worker(worker);
    if (options_.num_workers < 1) throw Error::bad_option("num_workers", "at least one process writes; count them");
    if (options_.events_per_file < 1)
      throw Error::bad_option("events_per_file", "a file holds at least one step; leave it out or give it 1");
    if (!options_.wall_time) throw Error::bad_option("wall_time", "it is empty; leave it out or give it a function");
    if (!options_.sleep) throw Error::bad_option("sleep", "it is empty; leave it out or give it a function");
    if (options_.watch_checkpoints && options_.checkpoint_dir.empty())
      throw Error::bad_option("watch_checkpoints", "there is no checkpoint_dir to watch; name one");
  }

  void begin(std::shared_ptr<Store> store) {
    checkpoints_ = options_.checkpoints;
    if (!checkpoints_ && !options_.checkpoint_dir.empty()) checkpoints_ = open_store(options_.checkpoint_dir);
    detail::Beginning beginning = detail::begin_attempt(*store, checkpoints_.get(), options_);
    if (!beginning.states.empty()) go_on_after(beginning.states.back(), beginning.attempt.number);
    catalog_.go_on_from(beginning.tensor_names);
    HookOptions options = options_;
    options.collections = catalog_.selection().collections();
    publisher_ =
        std::make_shared<detail::Publisher>(std::move(store), checkpoints_, std::move(options), std::move(beginning));
    publisher_->commit({collections_text(), std::nullopt, {}});
    // A store that is far away gets several times as many steps as it takes at once, so that it is seldom idle.
    const std::size_t at_once = publisher_->store().concurrency();
    // The names are kept for a writer that hangs and outlives the hook.
    writer_ = std::make_unique<detail::WriterThread>(
        options_.queue_bytes,
        [publisher = publisher_, names = catalog_.names()](std::span<const detail::StepRecords* const> steps) {
          publisher->publish(steps);
        },
        detail::Together{.steps = static_cast<std::size_t>(options_.events_per_file),
                         .times = at_once > 1 ? 8 * at_once : 1,
                         .bytes = options_.events_per_file > 1 ? detail::StepFiles::enough : 0});
    step_ = writer_->empty_step();
  }

  void go_on_after(const State& state, std::int64_t run) {
    global_step_ = state.last_seen;
    mode_ = state.mode;
    for (std::size_t m = 0; m < mode_steps_.size(); ++m) mode_steps_[m] = state.mode_steps[m].value_or(-1);
    mode_steps_[index_of(Mode::global)] = global_step_;
    resumed_ = {mode_, step(), global_step_, {}, run};
    if (!state.checkpoint.empty())
      resumed_->checkpoint =
          options_.checkpoint_dir.empty() ? state.checkpoint : options_.checkpoint_dir + "/" + state.checkpoint;
  }

  /// Whether this is a forked child, in which the hook is no more than a memory.
  [[nodiscard]] bool is_foreign() const noexcept { return owner_ != ::getpid(); }

  [[nodiscard]] Clock::time_point deadline_in(std::chrono::nanoseconds timeout) const {
    if (const auto left = time_left()) timeout = std::min<std::chrono::nanoseconds>(timeout, *left);
    return Clock::now() + timeout;
  }

  void start(const Step& step) {
    if (!options_.enabled) {
      count(step);
      return;
    }
    if (closed_) throw Error::closed_hook("begin_step");
    if (is_foreign()) return;
    if (options_.on_failure == OnFailure::stop && publisher_ && publisher_->failure())
      std::rethrow_exception(publisher_->failure());
    push_step(Clock::now() +
              (options_.when_full == WhenFull::block ? options_.block_timeout : std::chrono::seconds(0)));
    if (options_.watch_checkpoints) commit_changes();
    const std::lock_guard lock(mutex_);
    count(step);
    catalog_.begin_step(step);
    if (step_) step_->records.begin(step);
    step_bytes_ = 0;
    exceptions_ = std::uncaught_exceptions();
    in_step_ = true;
  }

  void count(const Step& step) {
    mode_ = step.mode;
    global_step_ = step.global_step;
    mode_steps_[index_of(Mode::global)] = step.global_step;
    mode_steps_[index_of(step.mode)] = step.mode_step;
  }

  /// What is known of tensor `name`, if it was seen before, and whether any of it is due.
  [[nodiscard]] std::pair<detail::KnownTensor*, bool> look_up(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error::closed_hook("save");
    if (!in_step_) throw Error::outside_step(name);
    detail::KnownTensor* const known = catalog_.names()->find(name);
    return {known, known != nullptr && catalog_.is_due(*known)};
  }

  /// Saves what is due of a tensor. Reductions and copies are made outside of the lock, so that several threads save at
  /// once.
  void take(std::string_view name, detail::KnownTensor* known, const TensorView& view) {
    if (known == nullptr) known = meet(name);
    if (known == nullptr || !catalog_.is_due(*known)) return;
    const detail::SaveRequest request = catalog_.request(*known);
    const bool reducible = is_real(view.dtype());
    const double wall_time = options_.wall_time();
    const ReducedSet values =
        request.reductions.empty() || !reducible ? ReducedSet() : reduce(view, request.reductions);

    detail::StepRecords::Room room;
    {
      const std::lock_guard lock(mutex_);
      if (!request.reductions.empty() && !reducible && publisher_)
        publisher_->change_status([](HookStatus& status) { ++status.not_reducible; });
      if (step_bytes_ + view.nbytes() > options_.max_step_bytes) {
        lose(LossReason::step_too_large, view);
        return;
      }
      step_bytes_ += view.nbytes();
      catalog_.count(*known, view, values.size() + (values.statistics ? 1 : 0));
      if (!step_) return;
      detail::StepRecords& records = step_->records;
      records.add(*known, values, wall_time);
      if (request.raw) room = records.add(*known, view, wall_time);
      if (request.shape && !request.raw) records.add_shape(*known, view);  // with the elements, smdebug would lose them
    }
    if (room.elements != nullptr) detail::StepRecords::copy(view, room);
  }

  /// The entry of `name`, made at first sight; null beyond the limit of names.
  detail::KnownTensor* meet(std::string_view name) {
    if (name.size() > name_limit) throw Error::name_too_long("save", name, name_limit);
    if (!is_utf8(name)) throw Error::name_not_utf8("save", name);
    const std::lock_guard lock(mutex_);
    detail::KnownTensor* const known = catalog_.meet(name);
    if (known == nullptr) lose(LossReason::too_many_names, {});
    return known;
  }

  void lose(LossReason reason, const TensorView& view) {
    if (publisher_) publisher_->count_loss({reason, global_step_, global_step_, 0, 1, view.nbytes()});
  }

  /// Hands the step under way, if there is anything in it, to the writer.
  void push_step(Clock::time_point deadline) {
    if (!std::exchange(in_step_, false) || !step_ || step_->records.empty()) return;
    const auto before = Clock::now();
    const bool pushed = writer_->push(step_, deadline);
    if (const auto waited = Clock::now() - before; waited > std::chrono::milliseconds(1))
      publisher_->change_status([&](HookStatus& status) { status.blocked += waited; });
    if (pushed) {
      step_ = writer_->empty_step();
      return;
    }
    const detail::StepRecords& lost = step_->records;
    publisher_->count_loss({LossReason::queue_full, global_step_, global_step_, 1, lost.count(), lost.bytes()});
  }

  /// The key among the checkpoints of `path`. Throws: it lies elsewhere.
  [[nodiscard]] std::string checkpoint_key(std::string_view path) const {
    if (options_.checkpoints) return std::string(path);
    const auto directory = std::filesystem::weakly_canonical(options_.checkpoint_dir);
    const auto relative = std::filesystem::weakly_canonical(std::filesystem::path(path)).lexically_relative(directory);
    if (relative.empty() || *relative.begin() == ".." || relative == ".")
      throw Error::checkpoint_elsewhere(path, options_.checkpoint_dir);
    return relative.string();
  }

  void commit_files(std::vector<std::string> files, std::optional<std::chrono::nanoseconds> timeout) {
    State state{.run = 0, .last_saved = {}, .last_seen = global_step_, .mode_steps = {}, .mode = mode_};
    for (std::size_t m = 0; m < mode_steps_.size(); ++m)
      if (mode_steps_[m] >= 0) state.mode_steps[m] = mode_steps_[m];
    if (!files.empty()) state.checkpoint = files.back();
    submit("commit", {collections_text(), std::move(state), std::move(files)}, timeout);
  }

  void submit(std::string_view what, detail::CommitRequest request, std::optional<std::chrono::nanoseconds> timeout) {
    if (closed_) throw Error::closed_hook(what);
    const auto deadline = deadline_in(timeout.value_or(options_.commit_timeout));
    push_step(deadline);
    const bool done =
        writer_->run([publisher = publisher_, request = std::move(request)] { publisher->commit(request); }, deadline);
    if (!done) throw Error::out_of_time(what, publisher_->store().location(), writer_->depth().steps);
  }

  /// Commits if checkpoints have appeared. Training has not asked for it, so it does not hear of failures here.
  void commit_changes() {
    if (auto files = watch_.changed(); !files.empty() && global_step_ >= 0) {
      try {
        commit_files(std::move(files), std::nullopt);
      } catch (const Error& e) {
        publisher_->change_status([&](HookStatus& status) {
          if (status.notes.size() < 100) status.notes.emplace_back(e.what());
        });
      }
    }
  }

  [[nodiscard]] std::string collections_text() {
    const std::lock_guard lock(mutex_);
    return catalog_.collections_text(options_.num_workers);
  }

  void end_writing(Clock::time_point deadline) {
    if (writer_->stop(deadline)) {
      publisher_->release();
    } else {
      publisher_->fall_silent();
      publisher_->count_loss({LossReason::out_of_time, global_step_, global_step_, writer_->depth().steps, 0, 0});
    }
  }

  HookOptions options_;
  mutable std::mutex mutex_;  // guards what changes while a step runs
  detail::Catalog catalog_;
  std::array<std::int64_t, 4> mode_steps_{};
  std::int64_t global_step_ = -1;
  Mode mode_ = Mode::train;
  std::optional<Resumed> resumed_;
  detail::CheckpointWatch watch_;
  std::shared_ptr<Store> checkpoints_;
  std::shared_ptr<detail::Publisher> publisher_;  // none if nothing is to be written
  std::unique_ptr<detail::WriterThread> writer_;  // likewise
  std::unique_ptr<detail::QueuedStep> step_;      // likewise: the one under way
  std::uint64_t step_bytes_ = 0;
  int exceptions_ = std::uncaught_exceptions();
  pid_t owner_ = ::getpid();
  bool in_step_ = false;
  bool closed_ = false;
};

TENSORTAP_END_NAMESPACE
