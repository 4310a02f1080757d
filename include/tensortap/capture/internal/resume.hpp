// The start of an attempt: claims the run, finds the last commit, and sets aside what was saved after it, so that every
// step is there exactly once. README.md gives the reasons for the order of operations.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/catalog.hpp>
#include <tensortap/capture/internal/observer_state.hpp>
#include <tensortap/capture/internal/process_facts.hpp>
#include <tensortap/capture/internal/run_claim.hpp>
#include <tensortap/capture/internal/worker_rewind.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/attempts.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The result of starting an attempt: its claim on the run, and what it read of earlier attempts.
struct AttemptStart {
  std::unique_ptr<Claim> claim;
  Attempt attempt;
  std::vector<State> states;  ///< the intact commits; the attempt continues after the last one
  TensorNames tensor_names;   ///< saved by earlier attempts
  std::vector<std::string> notes;
};

/// Returns the attempts of the run in `store`. Skips damaged ones and adds a line for each to `notes`.
inline Attempts read_attempts(const Store& store, std::vector<std::string>* notes = nullptr) {
  Attempts out;
  for (const ObjectInfo& object : store.list(layout::attempts_prefix)) {
    const auto bytes = store.get(object.key, {0, layout::text_limit + 1});
    if (!bytes) continue;
    try {
      out.add(parse_attempt(text_of(*bytes), object.key));
    } catch (const Error& e) {
      if (notes != nullptr) notes->emplace_back(e.what());
    }
  }
  return out;
}

/// One start of an attempt; run() is called once.
class Resumption {
 public:
  Resumption(Store& store, Store* checkpoints, const HookOptions& options)
      : store_(store), checkpoints_(checkpoints), options_(options), sync_(options.durability != Durability::none) {}

  AttemptStart run() {
    claim();
    const Attempts attempts = read_attempts(store_, &out_.notes);
    find_state(attempts);
    require_open(attempts);
    WorkerRewind mine(store_, options_, options_.worker, resumed_at_, touched_);
    if (mine.steps() > 0 && out_.states.empty()) start_over(mine);
    const std::vector<std::string> lost =
        mine.steps() > 0 || !out_.states.empty() ? find_lost_workers(attempts) : std::vector<std::string>{};
    read_tensor_names();
    out_.attempt = take_number({.worker = options_.worker, .facts = facts_of_attempt(options_)}, attempts, mine);
    if (ended_ && store_.remove(layout::end_marker)) touched_.emplace_back(layout::end_marker);
    if (options_.on_resume != OnResume::keep) mine.run(out_.attempt.number);
    for (const std::string& worker : lost) leave_behind(worker, attempts);
    store_.remove_unfinished([this](std::string_view key) { return is_mine(key); });
    if (checkpoints_ != nullptr)
      checkpoints_->remove_unfinished(
          [](std::string_view key) { return key == state_key || key.starts_with(observer_prefix); });
    if (sync_ && !touched_.empty()) store_.sync(touched_);
    restore_observer();
    return std::move(out_);
  }

 private:
  /// Claims the run. The claims of one worker and of several have different keys: none may be held.
  void claim() {
    const std::string key = layout::claim_key(options_.num_workers, options_.worker);
    const auto begin = std::chrono::steady_clock::now();
    out_.claim = claim_run(store_, key);
    if (!out_.claim) throw Error::run_is_claimed(store_.location(), store_.claim_holder(key));
    const auto waited = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
    if (waited > 0)
      out_.notes.push_back("the claim was free after " + std::to_string(waited) +
                           " s: an earlier process was killed, and its claim had to run out");
    require_free(layout::claim_key(options_.num_workers == 1 ? 2 : 1, options_.worker));
  }

  /// Throws: a living process holds the claim `key`. Other workers may hold it for a moment, for the same question.
  void require_free(const std::string& key) {
    constexpr std::chrono::milliseconds pause{50};
    constexpr std::chrono::seconds at_most{1};
    if (!store_.size(key)) return;
    const auto begin = std::chrono::steady_clock::now();
    while (!claim_run(store_, key)) {
      if (std::chrono::steady_clock::now() - begin > at_most)
        throw Error::run_is_claimed(store_.location(), store_.claim_holder(key));
      options_.sleep(pause);
    }
  }

  /// Reads the commits and drops those that are damaged, and those at the end whose checkpoint has changed since.
  void find_state(const Attempts& attempts) {
    if (const auto ids = attempts.run_ids(); !ids.empty())
      out_.attempt.run_id = *ids.begin();
    else
      out_.attempt.run_id = options_.run_id.empty() ? random_text() : options_.run_id;
    if (checkpoints_ == nullptr) return;
    out_.states = read_states(*checkpoints_);
    const std::size_t count = out_.states.size();
    std::erase_if(out_.states, [&](const State& state) {
      const std::string_view why = damage_of(state);
      if (!why.empty()) skip(state, why);
      return !why.empty();
    });
    for (const State& state : out_.states) require_mine(state, attempts);
    for (; !out_.states.empty() && !is_intact(out_.states.back(), *checkpoints_); out_.states.pop_back())
      skip(out_.states.back(), "its checkpoint " + in_quotes(out_.states.back().checkpoint) + " has changed since");
    if (count > 0 && out_.states.empty()) throw Error::no_intact_state(checkpoints_->location(), count);
    if (out_.states.empty()) return;
    resumed_at_ = out_.states.back().last_seen;
    if (!out_.states.back().run_id.empty()) out_.attempt.run_id = out_.states.back().run_id;
  }

  void skip(const State& state, std::string_view why) {
    out_.notes.push_back("the commit at step " + std::to_string(state.last_seen) + " is skipped: " + std::string(why));
  }

  /// Returns why the numbers of `state` cannot be true; empty if they may be. Earlier versions and smdebug wrote no
  /// checksum: then the index of the last saved step must agree.
  [[nodiscard]] std::string_view damage_of(const State& state) const {
    if (!state.sound) return "its checksum does not match";
    if (!state.run_id.empty() || !state.last_saved) return {};
    constexpr std::string_view contradicts = "it contradicts the index of its last saved step";
    if (*state.last_saved > state.last_seen) return contradicts;
    const std::string key = layout::index_key(*state.last_saved, options_.worker);
    const auto text = store_.get(key);
    if (!text) return {};
    try {
      const IndexFile index = parse_index(text_of(*text), key);
      if (index.mode == Mode::global) return {};
      const auto& step = state.mode_steps[index_of(index.mode)];
      const bool agrees = *state.last_saved == state.last_seen ? step == index.mode_step : step >= index.mode_step;
      return agrees ? std::string_view() : contradicts;
    } catch (const Error&) {
      return {};
    }
  }

  /// Throws: `state` is that of another run. A moved or copied run has its identity. A run without one may have lost
  /// its machine: then its address tells.
  void require_mine(const State& state, const Attempts& attempts) const {
    const auto ids = attempts.run_ids();
    if (state.run_id.empty() || ids.contains(state.run_id)) return;
    if (ids.empty() && state.run == escaped(store_.location())) return;
    throw Error::state_of_another_run("hook", store_.location(), checkpoints_->location(), state.run);
  }

  /// Throws: the run has ended.
  void require_open(const Attempts& attempts) {
    const auto marker = store_.get(layout::end_marker);
    if (!marker || !attempts.end_counts(text_of(*marker))) return;
    if (!options_.resume_ended) throw Error::run_has_ended(store_.location());
    ended_ = true;
  }

  /// Begins again at step 0, though the run holds steps. Throws: the options do not allow that.
  void start_over(const WorkerRewind& mine) {
    if (!options_.start_over)
      throw checkpoints_ == nullptr
          ? Error::run_has_steps(store_.location(), mine.first())
          : Error::run_has_no_commit(store_.location(), mine.steps(), checkpoints_->location());
    out_.notes.push_back("the run begins again at step 0: no commit was found, and " + std::to_string(mine.steps()) +
                         " steps of earlier attempts no longer count");
  }

  /// Returns the workers that the run continues without, since fewer write it than before: all others of a run of one
  /// worker, and "worker_N" and up of a run of N. Throws: one of them lives.
  std::vector<std::string> find_lost_workers(const Attempts& attempts) {
    std::map<std::string, std::string> known;  // by the names in keys, which spell some workers in another way
    for (const std::string& worker : attempts.workers()) known.emplace(layout::worker_in_file_name(worker), worker);
    for (const ObjectInfo& object : store_.list(layout::collections_prefix))
      if (auto worker = layout::parse_collections_key(object.key))
        known.emplace(layout::worker_in_file_name(*worker), *worker);
    known.erase(layout::worker_in_file_name(options_.worker));
    std::vector<std::string> out;
    for (const auto& [name, worker] : known)
      if (is_lost(worker)) {
        require_free(layout::claim_key(2, worker));
        out.push_back(worker);
      }
    return out;
  }

  /// Returns whether `worker`, another one, is no part of the run any more.
  [[nodiscard]] bool is_lost(std::string_view worker) const {
    constexpr std::string_view prefix = "worker_";
    if (options_.num_workers == 1) return true;
    if (!worker.starts_with(prefix)) return false;
    std::int64_t rank = 0;
    const std::string_view digits = worker.substr(prefix.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    return error == std::errc{} && end == digits.data() + digits.size() && rank >= options_.num_workers;
  }

  /// Ends the part of `worker`: what it saved after the commit no longer counts, nor what it may still write, nor the
  /// number of workers in its collections file.
  void leave_behind(const std::string& worker, const Attempts& attempts) {
    WorkerRewind steps(store_, options_, worker, resumed_at_, touched_);
    const Attempt* const last = attempts.find_last(worker);
    const std::int64_t number = last != nullptr && last->left && last->resumed_at <= resumed_at_
                                    ? last->number
                                    : take_number({.worker = worker, .left = true}, attempts, steps).number;
    if (options_.on_resume != OnResume::keep) steps.run(number);
    const std::string collections = layout::collections_key(worker);
    touched_.push_back(collections);
    touched_.push_back(layout::superseded_key(number, collections));
    store_.move(collections, touched_.back());
  }

  /// Gives `on_step` its state at the commit.
  void restore_observer() {
    if (!options_.on_step.has_state() || out_.states.empty()) return;
    const auto bytes = read_observer(*checkpoints_, out_.states.back(), options_.worker);
    if (!bytes || !options_.on_step.restore(*bytes))
      out_.notes.emplace_back("the rules begin anew: the commit has no state of theirs");
  }

  void read_tensor_names() {
    const std::string key = layout::collections_key(options_.worker);
    const auto bytes = store_.get(key, {0, layout::text_limit + 1});
    if (!bytes) return;
    try {
      for (Collection& collection : parse_collections(text_of(*bytes), key).collections)
        out_.tensor_names[collection.name] = std::move(collection.tensor_names);
    } catch (const Error& e) {
      out_.notes.emplace_back(e.what());
    }
  }

  /// Puts `attempt` of a worker under the next free number and returns it.
  Attempt take_number(Attempt attempt, const Attempts& attempts, const WorkerRewind& steps) {
    attempt.run_id = out_.attempt.run_id;
    attempt.resumed_at = resumed_at_;
    attempt.number =
        std::max({attempts.last(attempt.worker), out_.states.empty() ? std::int64_t{-1} : out_.states.back().attempt,
                  steps.steps() == 0 ? std::int64_t{-1} : std::int64_t{0}});
    do ++attempt.number;
    while (!store_.put(layout::attempt_key(attempt.number, attempt.worker), to_json(attempt),
                       sync_ ? Sync::yes : Sync::no, IfExists::keep));
    return attempt;
  }

  [[nodiscard]] bool is_mine(std::string_view key) const {
    if (options_.num_workers == 1) return true;
    const auto index = layout::parse_index_key(key);
    const auto event = layout::parse_event_key(key);
    const auto segment = layout::parse_segment_key(key);
    return (segment && segment->worker == layout::worker_in_file_name(options_.worker)) ||
           (index && key == layout::index_key(index->global_step, options_.worker)) ||
           (event && key == layout::event_key(event->global_step, options_.worker)) ||
           key == layout::collections_key(options_.worker) || is_of_my_snapshot(key);
  }

  /// Returns whether `key` lies in a snapshot of this worker.
  [[nodiscard]] bool is_of_my_snapshot(std::string_view key) const {
    if (!key.starts_with(layout::snapshots_prefix)) return false;
    const std::string_view folder = key.substr(0, key.find('/', layout::snapshots_prefix.size()));
    return folder.ends_with("_" + layout::worker_in_file_name(options_.worker));
  }

  Store& store_;
  Store* checkpoints_;
  const HookOptions& options_;
  bool sync_;
  bool ended_ = false;
  std::int64_t resumed_at_ = -1;
  std::vector<std::string> touched_;
  AttemptStart out_;
};

/// Starts an attempt of `options.worker` at the run in `store`. Throws: another process writes the run; it has ended;
/// it holds steps, but there is no commit; the commits are those of another run; none is intact; a store that fails.
inline AttemptStart start_attempt(Store& store, Store* checkpoints, const HookOptions& options) {
  return detail::Resumption(store, checkpoints, options).run();
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
