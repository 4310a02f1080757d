// The start of an attempt: claims the run, finds the last commit, and sets aside what was saved after it, so that every
// step is there exactly once. README.md gives the reasons for the order of operations.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/catalog.hpp>
#include <tensortap/capture/internal/run_claim.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/attempts.hpp>
#include <tensortap/record/layout.hpp>
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
    find_state();
    const std::int64_t last_attempt = find_attempts();
    const auto indexes = step_keys(layout::index_prefix, layout::index_key, layout::parse_index_key);
    if (checkpoints_ == nullptr && !indexes.empty())
      throw Error::run_has_steps(store_.location(), indexes.begin()->second);
    read_tensor_names();
    take_number(std::max(last_attempt, indexes.empty() ? std::int64_t{-1} : std::int64_t{0}));
    if (ended_ && store_.remove(layout::end_marker)) touched_.emplace_back(layout::end_marker);
    if (options_.on_resume != OnResume::keep) rewind(indexes);
    store_.remove_unfinished([this](std::string_view key) { return is_mine(key); });
    if (checkpoints_ != nullptr) checkpoints_->remove_unfinished([](std::string_view key) { return key == state_key; });
    if (sync_ && !touched_.empty()) store_.sync(touched_);
    return std::move(out_);
  }

 private:
  using StepKeys = std::map<std::int64_t, std::string>;
  static constexpr std::int64_t recent = 100;  // attempts that are searched for an interrupted rewind

  void claim() {
    const std::string key = layout::claim_key(options_.num_workers, options_.worker);
    const auto begin = std::chrono::steady_clock::now();
    out_.claim = claim_run(store_, options_);
    if (!out_.claim) throw Error::run_is_claimed(store_.location(), store_.claim_holder(key));
    const auto waited = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
    if (waited > 0)
      out_.notes.push_back("the claim was free after " + std::to_string(waited) +
                           " s: an earlier process was killed, and its claim had to run out");
  }

  /// Reads the commits and drops those whose checkpoint has changed since.
  void find_state() {
    if (checkpoints_ == nullptr) return;
    out_.states = read_states(*checkpoints_);
    const std::size_t count = out_.states.size();
    for (; !out_.states.empty() && !is_intact(out_.states.back(), *checkpoints_); out_.states.pop_back())
      out_.notes.push_back("the commit at step " + std::to_string(out_.states.back().last_seen) +
                           " is skipped: its checkpoint " + in_quotes(out_.states.back().checkpoint) +
                           " has changed since");
    if (count > 0 && out_.states.empty()) throw Error::no_intact_state(checkpoints_->location(), count);
    if (!out_.states.empty()) resumed_at_ = out_.states.back().last_seen;
  }

  /// Returns the number of the last attempt, by the attempts' own objects and by the state; -1 if there was none.
  /// Throws: the run has ended.
  std::int64_t find_attempts() {
    const Attempts attempts = read_attempts(store_, &out_.notes);
    if (const auto marker = store_.get(layout::end_marker); marker && attempts.end_counts(text_of(*marker))) {
      if (!options_.resume_ended) throw Error::run_has_ended(store_.location());
      ended_ = true;
    }
    return std::max(attempts.last(options_.worker),
                    out_.states.empty() ? std::int64_t{-1} : out_.states.back().attempt);
  }

  /// Returns the keys of this worker's steps after the last commit.
  template <class MakeKey, class ParseKey>
  StepKeys step_keys(std::string_view prefix, const MakeKey& make, const ParseKey& parse) const {
    constexpr std::int64_t longer_numbers = 1'000'000'000'000;  // their keys are not sorted by number
    const bool ordered = resumed_at_ >= 0 && resumed_at_ < longer_numbers;
    StepKeys out;
    for (ObjectInfo& object : store_.list(prefix, ordered ? make(resumed_at_, "") : std::string()))
      if (const auto name = parse(object.key);
          name && name->global_step > resumed_at_ && object.key == make(name->global_step, options_.worker))
        out.emplace(name->global_step, std::move(object.key));
    return out;
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

  /// Takes the next free number.
  void take_number(std::int64_t last) {
    Attempt& attempt = out_.attempt;
    attempt = {.number = last, .worker = options_.worker, .resumed_at = resumed_at_};
    do ++attempt.number;
    while (!store_.put(layout::attempt_key(attempt.number, options_.worker), to_json(attempt),
                       sync_ ? Sync::yes : Sync::no, IfExists::keep));
  }

  /// Sets aside all steps after the commit: indexes first and from the end, so that readers always see a prefix.
  void rewind(const StepKeys& indexes) {
    const StepKeys events = step_keys(layout::events_prefix, layout::event_key, layout::parse_event_key);
    for (auto at = indexes.rbegin(); at != indexes.rend(); ++at) set_aside(at->second, out_.attempt.number);
    bool gathered = options_.events_per_file == 1 || options_.on_resume != OnResume::archive;
    for (auto at = events.rbegin(); at != events.rend(); ++at) {
      if (indexes.contains(at->first) && !std::exchange(gathered, true)) gather_indexes(at->first, at->second, indexes);
      set_aside(at->second, owner_of_events(at->first, indexes));
    }
  }

  /// Moves the other indexes of the events file `file` to the folder of this attempt; `step` is its first step whose
  /// index is still in place. An earlier attempt that was killed in its rewind may have moved them to its folder.
  void gather_indexes(std::int64_t step, const std::string& file, const StepKeys& indexes) {
    const std::int64_t mine = out_.attempt.number;
    for (std::int64_t run = mine - 1; run >= std::max<std::int64_t>(mine - recent, 0); --run) {
      if (store_.size(layout::superseded_key(run, file))) return;  // an earlier file of that name owns these indexes
      const std::string folder = layout::superseded_key(run, "");
      for (const ObjectInfo& object :
           store_.list(folder + std::string(layout::index_prefix), folder + layout::index_key(step, options_.worker))) {
        const std::string key = object.key.substr(folder.size());
        const auto name = layout::parse_index_key(key);
        if (!name || indexes.contains(name->global_step) || !leads_to(object.key, file)) continue;
        touched_.push_back(object.key);
        touched_.push_back(layout::superseded_key(mine, key));
        store_.move(object.key, touched_.back());
      }
    }
  }

  [[nodiscard]] bool leads_to(const std::string& index_key, const std::string& file) const {
    const auto bytes = store_.get(index_key);
    try {
      return bytes && parse_index(text_of(*bytes), index_key).event_file == file;
    } catch (const Error&) {
      return false;
    }
  }

  /// Returns the attempt that set aside the index of `step`; nullopt if there never was an index.
  [[nodiscard]] std::optional<std::int64_t> owner_of_events(std::int64_t step, const StepKeys& indexes) const {
    if (indexes.contains(step)) return out_.attempt.number;
    const std::int64_t mine = out_.attempt.number;
    for (std::int64_t run = mine - 1; run >= std::max<std::int64_t>(mine - recent, 0); --run)
      if (store_.size(layout::superseded_key(run, layout::index_key(step, options_.worker)))) return run;
    return std::nullopt;
  }

  void set_aside(const std::string& key, std::optional<std::int64_t> run) {
    touched_.push_back(key);
    if (run && options_.on_resume == OnResume::archive) {
      touched_.push_back(layout::superseded_key(*run, key));
      store_.move(key, touched_.back());
    } else {
      store_.remove(key);
    }
  }

  [[nodiscard]] bool is_mine(std::string_view key) const {
    if (options_.num_workers == 1) return true;
    const auto index = layout::parse_index_key(key);
    const auto event = layout::parse_event_key(key);
    return (index && key == layout::index_key(index->global_step, options_.worker)) ||
           (event && key == layout::event_key(event->global_step, options_.worker)) ||
           key == layout::collections_key(options_.worker);
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
/// it holds steps, but there are no `checkpoints`; no commit is intact; a store that fails.
inline AttemptStart start_attempt(Store& store, Store* checkpoints, const HookOptions& options) {
  return detail::Resumption(store, checkpoints, options).run();
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
