// What the writer's thread does: puts steps, collections, the state and the end marker into the store, in the order of
// protocol.md; repeats what fails, counts what is lost, and stops when another attempt goes on with the run.
//
// Not for users: the hook owns one.
#pragma once

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/captured_step.hpp>
#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/capture/internal/step_encoder.hpp>
#include <tensortap/capture/internal/step_files.hpp>
#include <tensortap/error.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What is to be committed.
struct CommitRequest {
  std::string collections;         ///< the text of their file
  std::optional<State> state;      ///< without one, all is made durable, but nothing is committed
  std::vector<std::string> files;  ///< keys of the checkpoint, or prefixes of such
};

/// Threads: the writer's; `status`, `failure`, `give_up` and `count_loss` any.
class Publisher {
 public:
  using Clock = std::chrono::steady_clock;

  Publisher(std::shared_ptr<Store> store, std::shared_ptr<Store> checkpoints, HookOptions options, Beginning beginning)
      : store_(std::move(store)),
        checkpoints_(std::move(checkpoints)),
        options_(std::move(options)),
        claim_(std::move(beginning.claim)),
        attempt_(std::move(beginning.attempt)),
        states_(std::move(beginning.states)),
        files_(options_.worker, options_.index_extras ? std::optional(attempt_.number) : std::nullopt,
               options_.strip_output_numbers, static_cast<std::size_t>(options_.events_per_file)),
        last_saved_(states_.empty() ? std::nullopt : states_.back().last_saved),
        step_sync_(options_.durability == Durability::step ? Sync::yes : Sync::no),
        commit_sync_(options_.durability == Durability::none ? Sync::no : Sync::yes) {
    status_.notes = std::move(beginning.notes);
  }

  /// Writes steps: their events, several files at once where that pays off, and the indexes that lead to them, one
  /// after the other, each as soon as the events up to its own are there. What fails for good is counted. Never throws.
  void publish(std::span<const StepRecords* const> steps) noexcept {
    patience_ = failed_ ? std::chrono::nanoseconds(0) : options_.retry_for;
    const auto stopped = must_stop();
    std::size_t next = 0;  // the first step of which it is not known how it ends
    const bool are_encoded = !stopped && put_events(steps, [&](std::size_t file) noexcept {
      if (!put_[file].done) return;
      for (; next < steps.size() && files_.file_of(next) == file; ++next) end_step(next, *steps[next]);
    });
    for (; next < steps.size(); ++next) {
      std::optional<LossReason> reason = stopped;
      if (!reason && !(are_encoded && put_[files_.file_of(next)].done)) reason = LossReason::write_failed;
      end_step(next, *steps[next], reason);
    }
  }

  /// Makes all steps so far durable, then the state, if there is one. Throws: steps were lost since the last time this
  /// was said; another attempt goes on; no such checkpoint; the store failed to the end.
  void commit(CommitRequest request) {
    if (lost_since_commit_ > 0)
      throw Error::steps_not_saved(std::exchange(lost_since_commit_, 0), status().error.value_or("no time was left"));
    with_retries([&] {
      require_no_successor({});
      store_->put(layout::collections_key(options_.worker), request.collections, commit_sync_);
      sync_steps();
    });
    if (!request.state) return;
    State state = std::move(*request.state);
    state.run = attempt_.number;
    state.last_saved = last_saved_;
    for (const std::string& key : request.files)
      for (CheckpointFile& file : describe_checkpoint(*checkpoints_, key)) state.files.push_back(std::move(file));
    std::vector<State> states = states_;
    if (!states.empty() && states.back().last_seen == state.last_seen) states.pop_back();
    states.push_back(std::move(state));
    if (states.size() > states_limit) states.erase(states.begin());
    with_retries([&] {
      if (commit_sync_ == Sync::yes) {
        std::vector<std::string> files;
        for (const CheckpointFile& file : states.back().files) files.push_back(file.name);
        checkpoints_->sync(files);
      }
      require_no_successor({});
      checkpoints_->put(state_key, to_json(states), commit_sync_);
    });
    states_ = std::move(states);
    if (options_.on_commit && !silent_) options_.on_commit(states_.back());
  }

  /// Ends the run, if this is the last of its workers. Throws as `commit` does, but for losses.
  void close(const std::string& collections) {
    lost_since_commit_ = 0;
    commit({collections, std::nullopt, {}});
    with_retries([&] {
      require_no_successor({});
      attempt_.ended = true;
      const std::string text = to_json(attempt_);
      if (options_.num_workers > 1) store_->put(layout::attempt_key(attempt_.number, options_.worker), text, commit_sync_);
      if (options_.num_workers == 1 || read_attempts(*store_).all_ended(options_.num_workers))
        store_->put(layout::end_marker, options_.index_extras ? text : std::string(), commit_sync_);
    });
  }

  /// From `deadline` on nothing is written or repeated any more.
  void give_up(Clock::time_point deadline) noexcept {
    give_up_at_ = deadline.time_since_epoch().count();
    given_up_ = true;
  }

  /// Lets nobody hear of anything any more: whom to tell may be gone.
  void fall_silent() noexcept { silent_ = true; }

  /// Lets the run go.
  void release() noexcept { claim_.reset(); }

  [[nodiscard]] const Attempt& attempt() const noexcept { return attempt_; }
  [[nodiscard]] Store& store() const noexcept { return *store_; }

  [[nodiscard]] HookStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  /// The first failed write.
  [[nodiscard]] std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  void count_loss(const Loss& loss) noexcept {
    const std::lock_guard lock(mutex_);
    add_loss(status_, loss);
  }
  template <class Change>
  void change_status(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

 private:
  static constexpr std::size_t states_limit = 100;
  static constexpr std::size_t unsynced_limit = 4096;

  /// Time that also passes while the machine sleeps: whoever has slept must ask whether he is still wanted.
  static std::chrono::nanoseconds since_boot() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  /// Throws if a younger attempt of this worker exists; asks the store if that was not done within `age`.
  void require_no_successor(std::chrono::nanoseconds age) {
    const auto now = since_boot();
    if (last_asked_ && now - *last_asked_ < age) return;
    if (store_->size(layout::attempt_key(attempt_.number + 1, options_.worker))) fence(attempt_.number + 1);
    last_asked_ = now;
  }

  [[noreturn]] void fence(std::int64_t successor) {
    fenced_ = true;
    throw Error::fenced(store_->location(), attempt_.number, successor);
  }

  /// Why nothing is written any more, if so.
  [[nodiscard]] std::optional<LossReason> must_stop() const noexcept {
    if (fenced_) return LossReason::fenced;
    if (given_up_ && Clock::now().time_since_epoch().count() > give_up_at_) return LossReason::out_of_time;
    return std::nullopt;
  }

  /// How far the put of an events file has come.
  struct Put {
    bool done = false;
    bool kept = false;   // one was there
    bool noted = false;  // to be synced
    std::exception_ptr failure;
  };

  /// Puts the events of `steps`; `put_` says which are there. `then` is told of each file that was tried, in their
  /// order, after each trial. False if they could not even be encoded.
  template <class Then>
  bool put_events(std::span<const StepRecords* const> steps, const Then& then) noexcept {
    bool are_encoded = false;
    try {
      files_.encode(steps);
      put_.assign(files_.events().size(), {});
      are_encoded = true;
      with_retries(patience_, [&] {
        require_no_successor(std::chrono::seconds(1));
        put_events_once(then);
      });
    } catch (...) {
      failed(std::current_exception());
    }
    return are_encoded;
  }

  /// Puts those that are not there yet. Throws: one of them failed; the others were tried.
  template <class Then>
  void put_events_once(const Then& then) {
    const auto files = files_.events();
    parallel_for(
        files.size(), store_->concurrency(),
        [&](std::size_t i) {
          if (put_[i].done) return;
          put_[i].failure = nullptr;
          try {
            put_[i].done =
                files[i].key.empty() || store_->put(files[i].key, files[i].pieces, step_sync_, IfExists::keep);
            put_[i].kept = !put_[i].done;
          } catch (...) {
            put_[i].failure = std::current_exception();
          }
        },
        [&](std::size_t i) noexcept {
          if (std::exchange(put_[i].kept, false)) replace_events(i);
          if (put_[i].done && !files[i].key.empty() && !std::exchange(put_[i].noted, true))
            note_unsynced(unsynced_events_, files[i].key);
          then(i);
        });
    for (const Put& put : put_)
      if (put.failure) std::rethrow_exception(put.failure);
  }

  /// Puts an events file in the place of another one, unless that may be a younger attempt's.
  void replace_events(std::size_t i) noexcept {
    const StepFiles::Events& file = files_.events()[i];
    try {
      require_no_successor({});
      store_->put(file.key, file.pieces, step_sync_, IfExists::replace);
      put_[i].done = true;
    } catch (...) {
      put_[i].failure = std::current_exception();
    }
  }

  /// Puts the index of the step of this number, unless something speaks against it; counts what became of the step.
  void end_step(std::size_t i, const StepRecords& records, std::optional<LossReason> reason = {}) noexcept {
    if (!reason) reason = must_stop();
    if (!reason && put_index(files_.step(i))) {
      failed_ = false;
      saved(records, files_.step(i).bytes());
      return;
    }
    ++lost_since_commit_;
    const std::int64_t at = records.step().global_step;
    if (fenced_) reason = LossReason::fenced;
    count_loss({reason.value_or(LossReason::write_failed), at, at, 1, records.count(), records.bytes()});
  }

  /// Puts the index of a step. One of an older attempt gives way; to one of a younger attempt this one does.
  bool put_index(const StepEncoder& step) noexcept {
    try {
      with_retries(patience_, [&] {
        require_no_successor(std::chrono::seconds(1));
        const Bytes text = bytes_of(step.index());
        if (!store_->put(step.index_key(), std::span(&text, 1), step_sync_, IfExists::keep)) {
          require_no_successor({});
          require_older(step.index_key());
          store_->put(step.index_key(), std::span(&text, 1), step_sync_, IfExists::replace);
        }
        note_unsynced(unsynced_indexes_, step.index_key());
      });
      return true;
    } catch (...) {
      failed(std::current_exception());
      return false;
    }
  }

  void note_unsynced(std::vector<std::string>& keys, const std::string& key) noexcept {
    if (step_sync_ != Sync::no || commit_sync_ != Sync::yes) return;
    try {
      keys.push_back(key);
    } catch (...) {  // no memory: the next commit says so
      sync_failure_ = std::current_exception();
    }
  }

  void require_older(const std::string& key) {
    const auto there = store_->get(key);
    if (!there) return;
    std::optional<std::int64_t> run;
    try {
      run = parse_index(text_of(*there), key).attempt;
    } catch (const Error&) {  // damaged: it gives way
      return;
    }
    if (run && *run > attempt_.number) fence(*run);
  }

  void sync_steps() {
    if (commit_sync_ == Sync::no) return;
    if (sync_failure_) std::rethrow_exception(std::exchange(sync_failure_, nullptr));
    store_->sync(unsynced_events_);
    store_->sync(unsynced_indexes_);
    unsynced_events_.clear();
    unsynced_indexes_.clear();
  }

  void saved(const StepRecords& step, std::uint64_t bytes) noexcept {
    last_saved_ = step.step().global_step;
    change_status([&](HookStatus& status) {
      ++status.steps_saved;
      status.records_saved += step.size();
      status.bytes_saved += bytes;
    });
    if (unsynced_indexes_.size() >= unsynced_limit) {
      try {
        sync_steps();
      } catch (const std::exception&) {  // the next commit says so
        sync_failure_ = std::current_exception();
        unsynced_events_.clear();
        unsynced_indexes_.clear();
      }
    }
    if (!options_.on_step || silent_) return;
    try {
      options_.on_step(CapturedStep(step, options_.collections));
    } catch (...) {
      change_status([](HookStatus& status) { ++status.callback_errors; });
    }
  }

  /// Runs `write`, again and again while the store fails, for `patience`, of which it takes what it waits. Throws what
  /// it threw last.
  template <class Write>
  void with_retries(std::chrono::nanoseconds& patience, const Write& write) {
    for (std::chrono::nanoseconds pause = std::chrono::milliseconds(10);; pause = std::min(pause * 2, longest_pause)) {
      try {
        return write();
      } catch (const Error& e) {
        if (e.code() != Errc::io || pause > patience || is_too_late(pause)) throw;
      }
      change_status([](HookStatus& status) { ++status.retries; });
      options_.sleep(pause);
      patience -= pause;
    }
  }
  template <class Write>
  void with_retries(const Write& write) {
    std::chrono::nanoseconds patience = options_.retry_for;
    with_retries(patience, write);
  }

  [[nodiscard]] bool is_too_late(std::chrono::nanoseconds pause) const {
    return given_up_ && (Clock::now() + pause).time_since_epoch().count() > give_up_at_;
  }

  /// Keeps the first failure, and tells of each that follows a success.
  void failed(std::exception_ptr failure) {
    std::string message = "unknown";
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      message = e.what();
    } catch (...) {
    }
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) {
        failure_ = failure;
        status_.error = message;
      }
    }
    if (std::exchange(failed_, true) || !options_.on_error || silent_) return;
    try {
      options_.on_error(message);
    } catch (...) {  // nobody to tell
    }
  }

  static constexpr std::chrono::nanoseconds longest_pause = std::chrono::seconds(1);

  std::shared_ptr<Store> store_;
  std::shared_ptr<Store> checkpoints_;
  HookOptions options_;
  std::unique_ptr<Claim> claim_;
  Attempt attempt_;
  std::vector<State> states_;
  StepFiles files_;
  std::vector<Put> put_;                 // by events file
  std::chrono::nanoseconds patience_{};  // how long what is under way may be tried again
  std::optional<std::int64_t> last_saved_;
  Sync step_sync_;
  Sync commit_sync_;
  std::vector<std::string> unsynced_events_;
  std::vector<std::string> unsynced_indexes_;
  std::exception_ptr sync_failure_;
  std::optional<std::chrono::nanoseconds> last_asked_;
  std::uint64_t lost_since_commit_ = 0;
  bool failed_ = false;
  bool fenced_ = false;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> given_up_ = false;
  std::atomic<Clock::rep> give_up_at_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  HookStatus status_;
  std::exception_ptr failure_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
