// Commits: makes all steps so far durable, then the state that names the checkpoint. Also ends the run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/observer_state.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/internal/step_publisher.hpp>
#include <tensortap/capture/internal/tensorboard_writer.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What one commit writes.
struct CommitRequest {
  std::string collections;         ///< the text of their file
  std::optional<State> state;      ///< nullopt: everything becomes durable, but nothing is committed
  std::vector<std::string> files;  ///< keys of the checkpoint, or prefixes of such
};

/// Threads: the writer's.
class Committer {
 public:
  /// `board` is null if nothing is written for TensorBoard.
  Committer(AttemptContext& context, StepPublisher& steps, TensorBoardWriter* board, std::shared_ptr<Store> checkpoints,
            std::vector<State> states)
      : context_(context),
        steps_(steps),
        board_(board),
        checkpoints_(std::move(checkpoints)),
        states_(std::move(states)) {}

  /// Makes all steps so far durable, then the state, if there is one. Throws: steps were lost since the last commit
  /// (once); a later attempt exists; no such checkpoint; the store failed; after the commit, once: the commits before
  /// it are gone.
  void commit(CommitRequest request) {
    if (context_.fence.is_raised()) context_.fence.require_no_successor();  // throws what raised it
    const std::string cause = steps_.take_cause();
    if (const std::uint64_t lost = steps_.take_lost_steps(); lost > 0) {
      context_.record.try_to_put_losses();
      throw Error::steps_not_saved(lost, cause.empty() ? "no time was left" : cause);
    }
    put_collections(request.collections);
    if (request.state) {
      put_state(std::move(*request.state), request.files);
    } else {
      see_last_commit();
      if (board_ != nullptr) board_->flush();
    }
  }

  /// Ends the run, if this is the last of its workers. Throws as `commit` does, except for lost steps.
  void close(const std::string& collections) {
    (void)steps_.take_lost_steps();
    if (board_ != nullptr) board_->close();
    put_collections(collections);
    steps_.retention().closed();
    context_.retries.run([&] {
      context_.fence.require_no_successor();
      const HookOptions& options = context_.options;
      context_.record.put_end(options.num_workers > 1);
      if (options.num_workers == 1 || read_attempts(*context_.store).all_ended(options.num_workers))
        context_.store->put(layout::end_marker, options.index_extras ? context_.record.end_marker() : std::string(),
                            context_.commit_sync);
    });
  }

 private:
  /// Does what depends on the last commit, which another worker may have made: removes old steps, and writes for
  /// TensorBoard. Never throws.
  void see_last_commit() noexcept {
    const bool prepares = board_ != nullptr && context_.options.num_workers > 1;
    if (checkpoints_ == nullptr || !(prepares || context_.options.retention.has_limit())) return;
    try {
      const std::vector<State> there = read_states(*checkpoints_);
      if (!there.empty() && there.back().run_id == context_.attempt.run_id) {
        steps_.retention().committed(there.back().last_seen);
        if (prepares) board_->committed(there.back().last_seen);
      }
    } catch (...) {  // the next flush tries again
    }
    if (prepares) board_->prepare();
  }

  void put_collections(const std::string& text) {
    context_.retries.run([&] {
      context_.fence.require_no_successor();
      context_.record.put_losses();
      if (!has_put(text)) {
        context_.store->put(layout::collections_key(context_.options.worker), text, context_.commit_sync);
        put_text_ = text;
      }
      context_.unsynced.sync();
    });
  }

  /// Returns whether the collections file holds `text`, which this attempt has put. Asks the store, since the run may
  /// have been removed. Only a packed run spares this call: there it would double the calls of a commit.
  [[nodiscard]] bool has_put(const std::string& text) const {
    return context_.options.pack && put_text_ == text &&
           context_.store->size(layout::collections_key(context_.options.worker)) == text.size();
  }

  void put_state(State state, const std::vector<std::string>& checkpoint_keys) {
    constexpr std::size_t most_states = 100;
    state.attempt = context_.attempt.number;
    state.run_id = context_.attempt.run_id;
    state.run = escaped(context_.store->location());  // a path may be no UTF-8
    state.last_saved = steps_.last_saved();
    for (const std::string& key : checkpoint_keys)
      for (CheckpointFile& file : describe_checkpoint(*checkpoints_, key)) state.files.push_back(std::move(file));
    put_observer(state);
    std::vector<State> states = states_;
    if (!states.empty() && states.back().last_seen == state.last_seen) states.pop_back();
    states.push_back(std::move(state));
    std::string dropped;
    if (states.size() > most_states) {
      dropped = observer_key(context_.options.worker, states.front().last_seen);
      states.erase(states.begin());
    }
    if (board_ != nullptr) board_->prepare();
    bool are_moved = false;
    context_.retries.run([&] {
      if (context_.commit_sync == Sync::yes) {
        std::vector<std::string> files;
        for (const CheckpointFile& file : states.back().files) files.push_back(file.name);
        checkpoints_->sync(files);
      }
      context_.fence.require_no_successor();
      are_moved = !has_own_states();
      checkpoints_->put(state_key, to_json(states), context_.commit_sync);
    });
    const std::int64_t previous = states_.empty() ? -1 : states_.back().last_seen;
    states_ = std::move(states);
    context_.ledger->count_commit();
    if (board_ != nullptr) board_->committed(states_.back().last_seen);
    if (!dropped.empty()) try_to_remove(dropped);
    steps_.retention().committed(states_.back().last_seen);
    context_.callbacks.committed(states_.back());
    if (are_moved) throw Error::commits_are_gone(checkpoints_->location(), previous, states_.back().last_seen);
  }

  /// Makes the state of `on_step` a file of the checkpoint.
  void put_observer(State& state) {
    const auto bytes = context_.callbacks.observer_state();
    if (!bytes) return;
    const std::string key = observer_key(context_.options.worker, state.last_seen);
    context_.retries.run([&] { checkpoints_->put(key, *bytes); });
    state.files.push_back({key, bytes->size(), crc32c(bytes_of(*bytes))});
  }

  /// Removes the state of `on_step` at a commit that is forgotten. A file that stays does no harm.
  void try_to_remove(const std::string& key) noexcept {
    try {
      checkpoints_->remove(key);
    } catch (...) {
    }
  }

  /// Returns whether the last commit of this hook, or that at which it began, is where the next one will be. Throws:
  /// another run has begun to commit to these checkpoints.
  [[nodiscard]] bool has_own_states() const {
    std::vector<State> there;
    try {
      there = read_states(*checkpoints_);
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
      return true;  // damaged: it is replaced
    }
    for (const State& state : there)
      if (!state.run_id.empty() && state.run_id != context_.attempt.run_id &&
          !read_attempts(*context_.store).run_ids().contains(state.run_id))
        throw Error::state_of_another_run("commit", context_.store->location(), checkpoints_->location(), state.run);
    if (states_.empty() || (context_.options.num_workers > 1 && !there.empty())) return true;  // of another worker
    return std::any_of(there.begin(), there.end(),
                       [&](const State& state) { return state.last_seen == states_.back().last_seen; });
  }

  AttemptContext& context_;
  StepPublisher& steps_;
  TensorBoardWriter* board_;
  std::shared_ptr<Store> checkpoints_;
  std::vector<State> states_;
  std::optional<std::string> put_text_;  // of the collections file
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
