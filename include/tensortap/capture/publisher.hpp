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

#include <tensortap/capture/captured_step.hpp>
#include <tensortap/capture/options.hpp>
#include <tensortap/capture/resume.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/capture/step_encoder.hpp>
#include <tensortap/error.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

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
        encoder_(options_.worker, options_.index_extras ? std::optional(attempt_.run) : std::nullopt,
                 options_.strip_output_numbers),
        last_saved_(states_.empty() ? std::nullopt : states_.back().last_saved),
        step_sync_(options_.durability == Durability::step ? Sync::yes : Sync::no),
        commit_sync_(options_.durability == Durability::none ? Sync::no : Sync::yes) {
    status_.notes = std::move(beginning.notes);
  }

  /// Writes a step: its events, then the index that leads to them. What fails for good is counted. Never throws.
  void publish(const StepRecords& step) noexcept {
    LossReason reason = LossReason::write_failed;
    try {
      if (fenced_) {
        reason = LossReason::fenced;
      } else if (given_up_ && Clock::now().time_since_epoch().count() > give_up_at_) {
        reason = LossReason::out_of_time;
      } else {
        encoder_.encode(step);
        with_retries(failed_ ? std::chrono::nanoseconds(0) : options_.retry_for, [&] {
          require_no_successor(std::chrono::seconds(1));
          if (!encoder_.event_key().empty()) put_mine(encoder_.event_key(), encoder_.events());
          const Bytes index = bytes_of(encoder_.index());
          put_mine(encoder_.index_key(), std::span(&index, 1));
        });
        failed_ = false;
        saved(step);
        return;
      }
    } catch (...) {
      failed(std::current_exception());
      if (fenced_) reason = LossReason::fenced;
    }
    ++lost_since_commit_;
    const std::int64_t at = step.step().global_step;
    count_loss({reason, at, at, 1, step.count(), step.bytes()});
  }

  /// Makes all steps so far durable, then the state, if there is one. Throws: steps were lost since the last time this
  /// was said; another attempt goes on; no such checkpoint; the store failed to the end.
  void commit(CommitRequest request) {
    if (lost_since_commit_ > 0)
      throw Error::steps_not_saved(std::exchange(lost_since_commit_, 0), status().error.value_or("no time was left"));
    with_retries(options_.retry_for, [&] {
      require_no_successor({});
      store_->put(layout::collections_key(options_.worker), request.collections, commit_sync_);
      sync_steps();
    });
    if (!request.state) return;
    State state = std::move(*request.state);
    state.run = attempt_.run;
    state.last_saved = last_saved_;
    for (const std::string& key : request.files)
      for (CheckpointFile& file : describe_checkpoint(*checkpoints_, key)) state.files.push_back(std::move(file));
    std::vector<State> states = states_;
    if (!states.empty() && states.back().last_seen == state.last_seen) states.pop_back();
    states.push_back(std::move(state));
    if (states.size() > states_limit) states.erase(states.begin());
    with_retries(options_.retry_for, [&] {
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
    with_retries(options_.retry_for, [&] {
      require_no_successor({});
      attempt_.ended = true;
      const std::string text = to_json(attempt_);
      if (options_.num_workers > 1) store_->put(layout::attempt_key(attempt_.run, options_.worker), text, commit_sync_);
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
    if (store_->size(layout::attempt_key(attempt_.run + 1, options_.worker))) fence(attempt_.run + 1);
    last_asked_ = now;
  }

  [[noreturn]] void fence(std::int64_t successor) {
    fenced_ = true;
    throw Error::fenced(store_->location(), attempt_.run, successor);
  }

  /// Puts an object of a step. One of an older attempt gives way; to one of a younger attempt this one does.
  void put_mine(const std::string& key, std::span<const Bytes> pieces) {
    if (!store_->put(key, pieces, step_sync_, IfExists::keep)) {
      require_no_successor({});
      if (key == encoder_.index_key()) require_older(key);
      store_->put(key, pieces, step_sync_, IfExists::replace);
    }
    if (step_sync_ == Sync::no && commit_sync_ == Sync::yes)
      (key == encoder_.index_key() ? unsynced_indexes_ : unsynced_events_).push_back(key);
  }

  void require_older(const std::string& key) {
    const auto there = store_->get(key);
    if (!there) return;
    std::optional<std::int64_t> run;
    try {
      run = parse_index(text_of(*there), key).run;
    } catch (const Error&) {  // damaged: it gives way
      return;
    }
    if (run && *run > attempt_.run) fence(*run);
  }

  void sync_steps() {
    if (commit_sync_ == Sync::no) return;
    if (sync_failure_) std::rethrow_exception(std::exchange(sync_failure_, nullptr));
    store_->sync(unsynced_events_);
    store_->sync(unsynced_indexes_);
    unsynced_events_.clear();
    unsynced_indexes_.clear();
  }

  void saved(const StepRecords& step) {
    last_saved_ = step.step().global_step;
    change_status([&](HookStatus& status) {
      ++status.steps_saved;
      status.records_saved += step.size();
      status.bytes_saved += encoder_.bytes();
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

  /// Runs `write`, again and again while the store fails, for `patience`. Throws what it threw last.
  template <class Write>
  void with_retries(std::chrono::nanoseconds patience, const Write& write) {
    std::chrono::nanoseconds pause = std::chrono::milliseconds(10);
    for (std::chrono::nanoseconds waited{0};; waited += pause, pause = std::min(pause * 2, longest_pause)) {
      try {
        return write();
      } catch (const Error& e) {
        if (e.code() != Errc::io || waited + pause > patience || is_too_late(pause)) throw;
      }
      change_status([](HookStatus& status) { ++status.retries; });
      options_.sleep(pause);
    }
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
  StepEncoder encoder_;
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

}  // namespace tensortap::inline v0
