// The recorder behind a hook: counts steps, captures tensors, queues finished steps, and commits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/checkpoint_dir.hpp>
#include <tensortap/capture/internal/checkpoint_keys.hpp>
#include <tensortap/capture/internal/checkpoint_watch.hpp>
#include <tensortap/capture/internal/committer.hpp>
#include <tensortap/capture/internal/hook_shutdown.hpp>
#include <tensortap/capture/internal/kept_steps.hpp>
#include <tensortap/capture/internal/option_checks.hpp>
#include <tensortap/capture/internal/overhead_budget.hpp>
#include <tensortap/capture/internal/publisher.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_capture.hpp>
#include <tensortap/capture/internal/step_counter.hpp>
#include <tensortap/capture/internal/step_phases.hpp>
#include <tensortap/capture/internal/step_queue.hpp>
#include <tensortap/capture/internal/tensorboard_writer.hpp>
#include <tensortap/capture/internal/unkept_run.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/capture/resumed.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the loop's, except for `capture()`.
class Recorder {
 public:
  using Clock = std::chrono::steady_clock;
  using Timeout = std::optional<std::chrono::nanoseconds>;

  Recorder(std::shared_ptr<Store> store, HookOptions options)
      : options_(with_checkpoint_path(std::move(options))),
        capture_(options_, *ledger_),
        watch_(options_.watch_checkpoints ? options_.checkpoint_dir : std::string()),
        checkpoint_keys_(options_.checkpoint_dir, options_.checkpoints == nullptr) {
    check_hook_options(options_);
    if (options_.enabled && !options_.dry_run) start_attempt(std::move(store));
  }

  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Writes the queued steps, within `destroy_timeout`, and leaves the run open.
  ~Recorder() {
    if (!queue_) return;
    if (fork_guard_.is_child()) {
      queue_->leak();
    } else if (!is_closed_) {
      HookShutdown(capture_, *queue_, deadline_in(options_.destroy_timeout), counter_.global_step()).leave_open();
    }
  }

  [[nodiscard]] bool is_enabled() const noexcept { return options_.enabled; }
  [[nodiscard]] const StopSignal& stop() const noexcept { return options_.stop; }
  [[nodiscard]] const std::optional<Resumed>& resumed() const noexcept { return resumed_; }
  [[nodiscard]] const StepCounter& counter() const noexcept { return counter_; }
  [[nodiscard]] StepCapture& capture() noexcept { return capture_; }
  [[nodiscard]] PhaseSink* phases() const noexcept { return phases_.sink(); }

  /// Returns whether `collection` is due in this step; false if the hook is disabled or in a forked child.
  [[nodiscard]] bool is_due(std::string_view collection) const {
    if (options_.enabled && !fork_guard_.is_child()) return capture_.is_due(collection);
    (void)capture_.position_of(collection);
    return false;
  }

  /// Queues the previous step and begins `step`.
  void begin_step(const Step& step) {
    if (!is_closed_) phases_.begin(step);
    if (!options_.enabled) return counter_.set(step);
    if (is_closed_) throw Error::closed_hook("begin_step");
    if (fork_guard_.is_child()) return;
    const TimeInHook time(*ledger_, budget_.get(), std::chrono::microseconds(100));  // waits are added by the queue
    if (queue_) {
      if (options_.on_failure == OnFailure::stop)
        if (const auto failure = ledger_->failure()) std::rethrow_exception(failure);
      const bool blocks = options_.when_full == WhenFull::block;
      queue_->push_step_of(capture_, Clock::now() + (blocks ? options_.block_timeout : std::chrono::seconds(0)));
      if (!capture_.has_records()) queue_->give_records(capture_);
      if (options_.watch_checkpoints) commit_changed_checkpoints();
    }
    for (const SaveMoreRequest& request : options_.requests.take_save_more()) save_more(request);
    counter_.set(step);
    capture_.begin_step(step);
  }

  /// Commits after the current step; an empty `checkpoint` names none.
  void commit(std::string_view checkpoint, Timeout timeout) {
    if (!queue_ || fork_guard_.is_child()) return;
    if (!checkpoints_) throw Error::no_checkpoint_dir();
    std::vector<std::string> keys;
    if (!checkpoint.empty()) keys.push_back(checkpoint_keys_.key_of(checkpoint));
    commit_keys(std::move(keys), timeout);
  }

  /// Makes all steps so far durable.
  void flush(Timeout timeout) {
    if (!queue_ || fork_guard_.is_child()) return;
    submit("flush", {capture_.collections_text(), std::nullopt, {}}, timeout);
  }

  /// Ends the run.
  void close() {
    if (is_closed_ || fork_guard_.is_child()) return;
    if (queue_ && queue_->is_writer()) throw Error::called_by_writer("close");
    is_closed_ = true;
    phases_.end();
    capture_.close();
    for (const CollectionReport& collection : capture_.report().collections)
      if (std::string text = withheld_note(collection); !text.empty()) note(std::move(text));
    if (!queue_) return;
    for (std::string& text : capture_.unmet_collections()) note(std::move(text));
    HookShutdown(capture_, *queue_, deadline_in(options_.close_timeout), counter_.global_step()).close(*ledger_);
  }

  [[nodiscard]] HookStatus status() const {
    if (!queue_) return {};
    HookStatus out = ledger_->status();
    const QueueDepth depth = queue_->depth();
    out.recorder = kept_->status();
    out.steps_queued = depth.steps;
    out.bytes_queued = depth.bytes;
    return out;
  }

 private:
  void start_attempt(std::shared_ptr<Store> store) {
    checkpoints_ = options_.checkpoints;
    if (!checkpoints_ && !options_.checkpoint_dir.empty()) {
      make_checkpoint_dir(options_.checkpoint_dir);
      checkpoints_ = open_store(options_.checkpoint_dir);
    }
    if (options_.recorder.steps > 0) capture_.set_recorder(kept_);
    if (options_.budget) {
      budget_ = std::make_shared<OverheadBudget>(*options_.budget);
      capture_.set_budget(budget_,
                          options_.budget_spares_rules ? options_.on_step.required() : std::vector<Collection>());
    }
    std::optional<TensorBoardPlace> board = board_of(options_, store);
    if (!options_.run_files) store = std::make_shared<UnkeptRun>(board->store);
    AttemptStart start = detail::start_attempt(*store, checkpoints_.get(), options_);
    if (!start.states.empty()) resume_after(start.states.back(), start.attempt.number);
    capture_.catalog().add_saved_names(start.tensor_names);
    HookOptions options = options_;
    options.collections = capture_.catalog().selection().collections();
    auto publisher = std::make_shared<Publisher>(std::move(store), checkpoints_, std::move(board), std::move(options),
                                                 std::move(start), ledger_, kept_);
    publisher->commit({capture_.collections_text(), std::nullopt, {}});
    queue_.emplace(options_, std::move(publisher), capture_.catalog().table(), *ledger_, budget_);
    queue_->give_records(capture_);
  }

  /// Returns where files for TensorBoard go; nullopt: nowhere.
  static std::optional<TensorBoardPlace> board_of(const HookOptions& options, const std::shared_ptr<Store>& run) {
    if (!options.tensorboard_dir.empty()) return TensorBoardPlace{open_store(options.tensorboard_dir), {}};
    if (!options.tensorboard) return std::nullopt;
    return TensorBoardPlace{run, options.run_files ? std::string(layout::tensorboard_prefix) : std::string()};
  }

  void resume_after(const State& state, std::int64_t attempt) {
    counter_.resume_after(state);
    resumed_ = {counter_.step(Mode::train),
                counter_.step(Mode::eval),
                counter_.step(Mode::predict),
                counter_.global_step(),
                checkpoint_keys_.path_of(state.checkpoint),
                attempt};
  }

  /// Makes collections due in the next steps.
  void save_more(const SaveMoreRequest& request) {
    for (const std::string& collection : request.collections)
      if (!capture_.save_more(collection, request.steps))
        note("a request to save more: there is no collection " + in_quotes(collection));
    kept_->change([](RecorderStatus& status) { ++status.captures_raised; });
  }

  [[nodiscard]] Clock::time_point deadline_in(std::chrono::nanoseconds timeout) const {
    if (const auto left = options_.stop.time_left()) timeout = std::min<std::chrono::nanoseconds>(timeout, *left);
    return Clock::now() + timeout;
  }

  void commit_keys(std::vector<std::string> keys, Timeout timeout) {
    State state = counter_.state();
    if (!keys.empty()) state.checkpoint = keys.back();
    submit("commit", {capture_.collections_text(), std::move(state), std::move(keys)}, timeout);
  }

  /// Ends the step and commits `request` behind it.
  void submit(std::string_view what, CommitRequest request, Timeout timeout) {
    if (is_closed_) throw Error::closed_hook(what);
    if (queue_->is_writer()) throw Error::called_by_writer(what);
    const auto deadline = deadline_in(timeout.value_or(options_.commit_timeout));
    queue_->push_step_of(capture_, deadline);
    auto commit = [request = std::move(request)](Publisher& publisher) { publisher.commit(request); };
    const TimeInHook time(*ledger_, nullptr, std::chrono::nanoseconds::max());
    if (!queue_->run(std::move(commit), deadline))
      throw Error::out_of_time(what, queue_->publisher().store().location(), queue_->depth().steps);
  }

  /// Commits if checkpoints have changed. A failure becomes a note, since training did not call commit().
  void commit_changed_checkpoints() {
    auto keys = watch_.changed();
    if (keys.empty() || counter_.global_step() < 0) return;
    try {
      commit_keys(std::move(keys), std::nullopt);
    } catch (const Error& e) {
      note(e.what());
    }
  }

  void note(std::string text) {
    constexpr std::size_t limit = 100;
    ledger_->change([&](HookStatus& status) {
      if (status.notes.size() < limit) status.notes.push_back(std::move(text));
    });
  }

  HookOptions options_;
  ForkGuard fork_guard_;
  std::shared_ptr<StatusLedger> ledger_ = std::make_shared<StatusLedger>();
  std::shared_ptr<KeptSteps> kept_ = std::make_shared<KeptSteps>(options_.recorder);
  std::shared_ptr<OverheadBudget> budget_;  // if there is one
  StepPhases phases_{options_.phases};
  StepCounter counter_;
  StepCapture capture_;
  CheckpointWatch watch_;
  CheckpointKeys checkpoint_keys_;
  std::shared_ptr<Store> checkpoints_;
  std::optional<Resumed> resumed_;
  std::optional<StepQueue> queue_;  // none if nothing is written
  bool is_closed_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
