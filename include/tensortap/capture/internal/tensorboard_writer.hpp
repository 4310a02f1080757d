// Writes for TensorBoard what the hook saves, while it saves it. If a successor can continue after a commit, the values
// of a step are written at the commit that includes it: then no reader ever sees a step twice.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/pending_board.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/tensorboard_stream.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/failure_message.hpp>
#include <tensortap/record/internal/tensorboard_values.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/step.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Where the files are: below `prefix`, which is empty or ends in '/'.
struct TensorBoardPlace {
  std::shared_ptr<Store> store;
  std::string prefix;
};

/// Nothing here throws: what cannot be written is kept while there is room, and then counted as lost. Threads: the
/// writer's.
class TensorBoardWriter {
 public:
  /// `resumed` is the commit after which the attempt continues; null if there is none. With `waits_for_commits` values
  /// are written by `committed`, else soon.
  TensorBoardWriter(AttemptContext& context, TensorBoardPlace place, const State* resumed, bool waits_for_commits)
      : context_(context),
        place_(std::move(place)),
        shared_{context.attempt.number, tensorboard::hyperparameters_of(context.attempt.facts),
                context.options.strip_output_numbers},
        resumed_at_(resumed == nullptr ? -1 : resumed->last_seen),
        waits_for_commits_(waits_for_commits),
        pending_key_(place_.prefix + "commit_" + layout::worker_in_file_name(context.options.worker) + ".pending"),
        tags_key_(place_.prefix + "commit_" + layout::worker_in_file_name(context.options.worker) + ".tags"),
        capacity_(context.options.queue_bytes / 4) {
    const std::string worker = tensorboard::directory_of_worker(context.options.worker) + "/";
    const std::string directory = place_.prefix + (context.options.num_workers > 1 ? worker : std::string());
    streams_.reserve(all_modes.size());
    for (const Mode mode : all_modes) {
      std::int64_t first = 0;
      if (resumed != nullptr)
        first = mode == Mode::global ? resumed->last_seen + 1 : resumed->mode_steps[index_of(mode)].value_or(-1) + 1;
      streams_.emplace_back(shared_, directory + std::string(to_string(mode)) + "/", first);
    }
    (void)attempt([&] {
      can_grow_ = place_.store->extend(pending_key_, 0, {}, Sync::no);
      recover();
    });
  }

  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;
  ~TensorBoardWriter() = default;

  /// Takes the values of a step that was saved, and texts about it.
  void add(const StepRecords& step, std::vector<StepText> texts) noexcept {
    if (context_.fence.is_raised()) return;
    const bool is_full = waiting() >= capacity_ && !write(everything, Sync::no);
    try {
      TensorBoardStream& stream = streams_[index_of(step.step().mode)];
      if (stream.add(step, std::move(texts)) > 0 && is_full) count_lost(stream.drop_last());
    } catch (...) {
      fail(std::current_exception());
      count_lost(step.size());
    }
    const std::size_t many = can_grow_ ? std::size_t{256} << 10 : std::size_t{8} << 20;
    if (!waits_for_commits_ && (Clock::now() >= next_write_ || waiting() >= many)) (void)write(everything, Sync::no);
  }

  /// Makes durable what `committed` will write of the steps so far, so that a death in between loses nothing.
  void prepare() noexcept {
    if (context_.fence.is_raised() || waiting() == 0) return;
    (void)attempt([&] {
      recover();
      PendingBoard pending;
      for (TensorBoardStream& stream : streams_) {
        if (stream.waiting() == 0) continue;
        pending.last_step = std::max(pending.last_step, stream.last_waiting());
        pending.writes.push_back(stream.next_write(*place_.store, everything));
      }
      pending.put(*place_.store, pending_key_, context_.commit_sync);
      has_pending_ = true;
      put_tags();
    });
  }

  /// Writes the values of the steps up to `last`, which a successor does not save again.
  void committed(std::int64_t last) noexcept {
    if (!write(last, context_.commit_sync) || !has_pending_ || waiting() > 0) return;
    (void)attempt([&] { place_.store->remove(pending_key_); });
    has_pending_ = false;
  }

  /// Writes what does not wait for a commit.
  void flush() noexcept {
    if (!waits_for_commits_) (void)write(everything, context_.commit_sync);
  }

  /// Writes all values, and says that the training has ended.
  void close() noexcept {
    if (context_.fence.is_raised()) return;
    try {
      for (TensorBoardStream& stream : streams_) stream.add_end();
    } catch (...) {  // without memory the files lack their last event
    }
    next_try_ = {};
    committed(everything);
    if (known_tags_ > 0) (void)attempt([&] { place_.store->remove(tags_key_); });
    std::uint64_t lost = 0;
    for (const TensorBoardStream& stream : streams_) lost += stream.waiting_values();
    if (lost > 0) count_lost(lost);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::int64_t everything = std::numeric_limits<std::int64_t>::max();

  /// Bytes that are not written.
  [[nodiscard]] std::size_t waiting() const noexcept {
    std::size_t out = 0;
    for (const TensorBoardStream& stream : streams_) out += stream.waiting();
    return out;
  }

  /// Ends what an earlier attempt has prepared: writes it if the commit was made, else forgets it. Throws: the store
  /// failed.
  void recover() {
    if (has_recovered_) return;
    Store& store = *place_.store;
    store.remove_unfinished([this](std::string_view key) { return key == pending_key_ || key == tags_key_; });
    if (const auto object = store.get(pending_key_)) {
      for (const BoardWrite& write : PendingBoard::parse(*object).writes_up_to(resumed_at_))
        if (write.start == 0 || store.size(write.key).value_or(0) >= write.start)  // it was not removed
          write_to_board(store, write, context_.commit_sync);
      store.remove(pending_key_);
    }
    if (waits_for_commits_) get_tags();
    has_recovered_ = true;
  }

  /// Reads which tags earlier attempts gave to what.
  void get_tags() {
    const auto object = place_.store->get(tags_key_);
    if (!object) return;
    for_each_tag(*object, [&](std::size_t place, std::string& tag, std::string& tensor, TensorBoardEvents::Kind kind) {
      if (place < streams_.size()) streams_[place].events().add_tag(std::move(tag), std::move(tensor), kind);
    });
    known_tags_ = count_tags();
  }

  /// Writes it, if there are new tags.
  void put_tags() {
    if (count_tags() == known_tags_) return;
    std::string object;
    for (std::size_t i = 0; i < streams_.size(); ++i) append_tags(object, i, streams_[i].events().tags());
    place_.store->put(tags_key_, object, context_.commit_sync);
    known_tags_ = count_tags();
  }

  [[nodiscard]] std::size_t count_tags() noexcept {
    std::size_t out = 0;
    for (TensorBoardStream& stream : streams_) out += stream.events().tags().size();
    return out;
  }

  /// Writes the values of the steps up to `last`. Returns false if not all of them are written.
  [[nodiscard]] bool write(std::int64_t last, Sync sync) noexcept {
    if (context_.fence.is_raised() || context_.retries.is_past_deadline()) return false;
    return attempt([&] {
      for (TensorBoardStream& stream : streams_) write(stream, last, sync);
      failure_ = nullptr;
      next_write_ = Clock::now() + (can_grow_ ? std::chrono::seconds(1) : std::chrono::seconds(30));
    });
  }

  void write(TensorBoardStream& stream, std::int64_t last, Sync sync) {
    const BoardWrite write = stream.next_write(*place_.store, last);
    if (write.pieces.empty()) return;
    try {
      write_to_board(*place_.store, write, sync);
    } catch (const Error&) {
      stream.find_again(*place_.store);
      throw;
    }
    const std::uint64_t values = stream.is_written(last, can_grow_);
    context_.ledger->change([&](HookStatus& status) { status.tensorboard.values += values; });
  }

  /// Calls `f`. Returns false if it throws, or if a failure is so fresh that it is not called: a place that fails
  /// slowly gets a tenth of the thread's time.
  template <class F>
  [[nodiscard]] bool attempt(const F& f) noexcept {
    const auto begin = Clock::now();
    if (begin < next_try_) return false;
    try {
      f();
      return true;
    } catch (...) {
      fail(std::current_exception());
      const auto end = Clock::now();
      next_try_ = end + 9 * (end - begin);
      return false;
    }
  }

  /// Remembers a failure, and reports the first one after a success.
  void fail(const std::exception_ptr& failure) noexcept {
    const bool is_first = !std::exchange(failure_, failure);
    use_message(failure, [&](std::string_view message) {
      if (is_first) context_.callbacks.write_failed(message);
      context_.ledger->change([&](HookStatus& status) {
        if (!status.tensorboard.error) status.tensorboard.error = message;
      });
    });
  }

  /// A loss is a failure of the hook.
  void count_lost(std::uint64_t values) noexcept {
    context_.ledger->change([&](HookStatus& status) { status.tensorboard.lost += values; });
    if (!failure_) return;
    use_message(failure_, [this](std::string_view message) { context_.ledger->record_failure(failure_, message); });
  }

  AttemptContext& context_;
  TensorBoardPlace place_;
  TensorBoardStream::Shared shared_;
  std::int64_t resumed_at_;
  bool waits_for_commits_;
  std::string pending_key_;
  std::string tags_key_;
  std::uint64_t capacity_;                  // what may wait; a step more than that
  std::vector<TensorBoardStream> streams_;  // by mode
  bool can_grow_ = false;                   // objects of the store can
  bool has_recovered_ = false;
  std::size_t known_tags_ = 0;  // that a successor will know
  bool has_pending_ = false;    // there is an object of ours with the pending key
  std::exception_ptr failure_;  // since the last success
  Clock::time_point next_write_{};
  Clock::time_point next_try_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
