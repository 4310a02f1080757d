// A run that is read repeatedly: the state that a Trial shares with all objects that it returns.
//
// A refresh may run at any moment while other processes write, so it reads in the reverse order of their writes. It
// reads the end marker before the index: if the run has ended, the index then has all its steps. It reads the attempts
// after the index: so no index file counts before its attempt is known and has superseded earlier steps.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/attempts.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/damage_list.hpp>
#include <tensortap/trial/internal/index_reader.hpp>
#include <tensortap/trial/internal/membership.hpp>
#include <tensortap/trial/internal/run_model.hpp>
#include <tensortap/trial/internal/text_objects.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/packed_run.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class LiveRun {
 public:
  /// Waits `wait_for_run` for the run to exist. Throws: it does not, or none of its objects can be read.
  LiveRun(std::shared_ptr<const Store> store, TrialOptions options)
      : store_(std::make_shared<PackedRun>(std::move(store))), options_(with_defaults(std::move(options))) {
    const auto exists = [this] { return visit([](const RunModel& model) { return model.exists(); }); };
    if (wait_until(exists, options_.wait_for_run)) return;
    const auto damage = damage_.list();
    if (damage.empty()) throw Error::run_not_found(store_->location());
    throw Error::damaged("trial", store_->location(), "no object of the run can be read: " + damage[0].cause);
  }

  [[nodiscard]] const TrialOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Store& store() const noexcept { return *store_; }
  [[nodiscard]] DamageList& damage() const noexcept { return damage_; }

  /// Reads what is new. Failures become damage, and the next refresh tries again.
  Changes refresh() {
    Changes changes = read_changes();
    const std::lock_guard lock(poll_mutex_);
    refreshed_ = options_.clock();
    rewinds_.insert(rewinds_.end(), changes.rewinds.begin(), changes.rewinds.end());
    return changes;
  }

  /// Calls `call` with the model, locked against changes. Refreshes the model first if the run is followed and a
  /// refresh is due.
  template <class Call>
  std::invoke_result_t<const Call&, const RunModel&> query(const Call& call) {
    if (take_due_refresh()) refresh();
    return visit(call);
  }

  /// Calls `call` with the model without a refresh.
  template <class Call>
  std::invoke_result_t<const Call&, const RunModel&> visit(const Call& call) const {
    const std::shared_lock lock(model_mutex_);
    return call(model_);
  }

  void pause() noexcept { ++pauses_; }
  void resume() noexcept { --pauses_; }

  [[nodiscard]] std::vector<Rewind> rewinds() const {
    const std::lock_guard lock(poll_mutex_);
    return rewinds_;
  }

  /// Refreshes, then calls `done`, until it returns true. Returns false after `timeout`, or when a stop is requested.
  /// Throws: the run is gone.
  template <class Done>
  bool wait_until(const Done& done, std::chrono::nanoseconds timeout) {
    const auto begin = options_.clock();
    for (;;) {
      refresh();
      if (done()) return true;
      require_presence();
      const auto waited = options_.clock() - begin;
      if (waited >= timeout || options_.stop.requested()) return false;
      options_.sleep(std::min<std::chrono::nanoseconds>(options_.poll_interval, timeout - waited));
    }
  }

  /// Returns whether `step` was superseded or replaced since it was read, according to the store.
  [[nodiscard]] bool is_superseded(const WorkerStepPtr& step) const {
    try {
      const auto size = store_->size(step->key);
      if (!size) look_for_run();
      if (!size || *size != step->index_size) return true;
    } catch (const Error&) {
      return false;
    }
    const auto supersedes = [&](const Attempt& attempt) {
      return attempt.worker == step->worker && attempt.number > step->attempt.value_or(-1) &&
             attempt.resumed_at < step->step.global_step;
    };
    for (const ObjectInfo& object : objects_.list(layout::attempts_prefix).value_or(std::vector<ObjectInfo>{})) {
      auto attempt = visit([&](const RunModel& model) -> std::optional<Attempt> {
        const auto known = model.attempt_objects.find(object.key);
        return known == model.attempt_objects.end() ? std::nullopt : std::optional(known->second.second);
      });
      if (!attempt) attempt = objects_.read(object.key, parse_named_attempt).value;
      if (attempt && supersedes(*attempt)) return true;
    }
    return visit([&](const RunModel& model) {
      const RunModel::ByWorker* by_worker = model.worker_steps(step->step.global_step);
      if (by_worker == nullptr) return true;
      const auto found = by_worker->find(step->worker);
      return found == by_worker->end() || found->second != step;
    });
  }

 private:
  /// Throws: the run is gone.
  void require_presence() const {
    const std::lock_guard lock(poll_mutex_);
    if (gone_) throw *gone_;
  }
  [[nodiscard]] bool is_gone() const {
    const std::lock_guard lock(poll_mutex_);
    return gone_.has_value();
  }

  /// Notes whether the run `is_missing`, or another one `has_its_place`.
  void note_presence(bool is_missing, bool has_its_place = false) const {
    constexpr std::string_view object = "the run itself";
    const std::lock_guard lock(poll_mutex_);
    damage_.repaired(object);
    gone_.reset();
    if (!is_missing && !has_its_place) return;
    gone_ = Error::run_is_gone(store_->location(), has_its_place);
    damage_.add(object, layout::attempts_prefix, gone_->what());
  }

  /// Notes whether the run is there, after an object of it was missed.
  void look_for_run() const {
    const bool has_attempts = visit([](const RunModel& model) { return !model.attempt_objects.empty(); });
    if (!has_attempts && !has_collections_) return;
    const auto listed = objects_.list(has_attempts ? layout::attempts_prefix : layout::collections_prefix);
    if (listed && listed->empty()) note_presence(true);
  }

  static TrialOptions with_defaults(TrialOptions options) {
    if (!options.clock) options.clock = [] { return TrialOptions::Clock::now(); };
    if (!options.sleep) options.sleep = [](std::chrono::nanoseconds t) { std::this_thread::sleep_for(t); };
    return options;
  }

  /// Returns whether the caller must refresh. Of several callers at the same time, only one must.
  [[nodiscard]] bool take_due_refresh() {
    if (!options_.follow || pauses_.load() > 0) return false;
    const auto now = options_.clock();
    const std::lock_guard lock(poll_mutex_);
    if (now - refreshed_ < options_.refresh_interval) return false;
    refreshed_ = now;
    return true;
  }

  Changes read_changes() {
    constexpr int rounds = 4;  // repeats if an attempt has begun meanwhile
    const std::lock_guard one_at_a_time(refresh_mutex_);
    const bool existed = model_.exists();
    Changes changes;
    std::set<std::int64_t> steps;
    parallel_for(2, store_->concurrency(), [this](std::size_t i) { i == 0 ? read_end() : read_collections(); });
    if (!existed) (void)apply_attempts(read_attempts());  // so that no index file is read twice
    bool lists_all = false;
    for (int round = 0; round < rounds; ++round) {
      const bool last =
          lists_all || (options_.follow && !model_.ended && marker_ && model_.attempts.end_counts(*marker_));
      const auto found = index_.read(model_, last, [this](const auto&... index) { return make_step(index...); });
      lists_all = note_segments();
      const std::vector<Attempt> begun = read_attempts(!found.empty());
      if (is_gone()) break;
      std::vector<Rewind> rewinds = apply_vanished();
      for (Rewind& rewind : apply_attempts(begun)) rewinds.push_back(std::move(rewind));
      for (const Rewind& rewind : rewinds)
        for (const std::int64_t step : rewind.steps) steps.erase(step);
      if (existed) changes.rewinds.insert(changes.rewinds.end(), rewinds.begin(), rewinds.end());
      apply_found(found, begun, steps);
      for (const Attempt& attempt : begun)
        if (attempt.number > 0)
          for (const WorkerStepPtr& step : model_.unnumbered_beyond(attempt)) index_.watch(step);
      if (begun.empty() && !lists_all) break;
    }
    changes.ended = !is_gone() && apply_end();
    changes.steps.assign(steps.begin(), steps.end());
    return changes;
  }

  /// Notes which segments cannot be read: their steps are missing. Returns whether one was repaired or is gone.
  bool note_segments() {
    std::set<std::string> damaged;
    bool has_changed = false;
    for (const Damage& damage : store_->damage()) {
      damaged.insert(damage.where);
      damage_.add(damage.where, damage.cause);
    }
    for (const std::string& segment : damaged_segments_) {
      if (damaged.contains(segment)) continue;
      damage_.repaired(segment);
      has_changed = true;
    }
    damaged_segments_ = std::move(damaged);
    return has_changed;
  }

  void read_end() {
    constexpr std::uint64_t limit = 4096;
    try {
      const auto bytes = store_->get(layout::end_marker, {0, limit});
      damage_.repaired(layout::end_marker);
      marker_.reset();
      if (bytes) marker_ = std::string(text_of(*bytes));
    } catch (const Error& e) {
      damage_.add(layout::end_marker, e.what());
    }
  }

  /// Reads the collections files. All workers should write the same; as in smdebug, the last readable file counts.
  void read_collections() {
    const auto same = [](const ObjectInfo& a, const ObjectInfo& b) { return a.key == b.key && a.size == b.size; };
    auto listed = objects_.list(layout::collections_prefix);
    if (listed && model_.attempt_objects.empty()) note_presence(listed->empty() && has_collections_);
    if (!listed || std::equal(listed->begin(), listed->end(), collections_.begin(), collections_.end(), same)) return;
    std::set<std::string> workers;
    std::vector<std::string> keys;
    for (const ObjectInfo& object : *listed)
      if (auto worker = layout::parse_collections_key(object.key)) {
        workers.insert(std::move(*worker));
        keys.push_back(object.key);
      }
    if (!keys.empty()) has_collections_ = true;
    std::optional<CollectionsFile> last_sound;
    bool all_sound = true;
    auto files = objects_.read_all(keys, parse_collections);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (files[i].gone) objects_.add_missing(keys[i]);
      all_sound = all_sound && files[i].value;
      if (files[i].value) last_sound = std::move(files[i].value);
    }
    collections_.clear();
    if (all_sound) collections_ = std::move(*listed);
    const std::unique_lock lock(model_mutex_);
    model_.workers.merge(workers);
    if (!last_sound) return;
    model_.num_workers = last_sound->num_workers;
    if (last_sound->collections != model_.membership->collections())
      model_.membership = std::make_shared<const Membership>(std::move(last_sound->collections));
  }

  WorkerStepPtr make_step(const IndexFile& index, const layout::StepName& name, const std::string& key,
                          std::uint64_t size) {
    const std::unique_lock lock(model_mutex_);  // new names enter the model
    return model_.make_worker_step(index, name, key, size);
  }

  /// Parses an attempt and spells its worker as index files do.
  static Attempt parse_named_attempt(std::string_view text, const std::string& key) {
    Attempt attempt = parse_attempt(text, key);
    attempt.worker = layout::worker_from_file_name(layout::worker_in_file_name(attempt.worker));
    return attempt;
  }

  /// Reads the attempts that are new or have been closed, those with losses, which may grow, and now and then the costs
  /// of the last ones. Returns the new ones, ascending. Notes whether they are those of the run that was opened; if
  /// there are `news`, reads one again for that, now and then.
  std::vector<Attempt> read_attempts(bool news = false) {
    constexpr std::chrono::seconds longest_trust{10};
    std::vector<std::string> keys;
    const bool is_verified = options_.clock() - verified_ < longest_trust;
    const auto may_change = [&](const Attempt& attempt) {
      const bool tells_cost = attempt.cost != HookCost() && attempt.number == model_.attempts.last(attempt.worker);
      return !attempt.ended && (!attempt.losses.empty() || (tells_cost && !is_verified));
    };
    const auto listed = objects_.list(layout::attempts_prefix);
    for (const ObjectInfo& object : listed.value_or(std::vector<ObjectInfo>{})) {
      const auto known = model_.attempt_objects.find(object.key);
      if (known == model_.attempt_objects.end() || known->second.first != object.size ||
          may_change(known->second.second))
        keys.push_back(object.key);
    }
    const bool are_known = listed && !model_.attempt_objects.empty();
    const bool trusts = !is_gone() && (!news || is_verified);
    if (are_known && keys.empty() && !trusts) keys.push_back(model_.attempt_objects.begin()->first);
    if (!keys.empty()) verified_ = options_.clock();
    std::vector<Attempt> begun;
    const auto attempts = objects_.read_all(keys, parse_named_attempt);
    bool are_others = false;
    for (std::size_t i = 0; i < keys.size(); ++i)
      are_others = are_others || (attempts[i].value && is_of_another_run(keys[i], *attempts[i].value));
    if (are_known && (listed->empty() || !keys.empty())) note_presence(listed->empty(), are_others);
    if (is_gone()) return {};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!attempts[i].value) continue;
      const std::unique_lock lock(model_mutex_);
      if (!model_.attempt_objects.contains(keys[i])) begun.push_back(*attempts[i].value);
      model_.attempt_objects[keys[i]] = {attempts[i].size, *attempts[i].value};
    }
    std::stable_sort(begun.begin(), begun.end(),
                     [](const Attempt& a, const Attempt& b) { return a.number < b.number; });
    return begun;
  }

  /// Returns whether `attempt`, read from the object `key`, is not the one that this object held before.
  [[nodiscard]] bool is_of_another_run(const std::string& key, const Attempt& attempt) const {
    const auto known = model_.attempt_objects.find(key);
    if (known == model_.attempt_objects.end()) return false;
    const std::string& before = known->second.second.run_id;
    return !before.empty() && !attempt.run_id.empty() && before != attempt.run_id;
  }

  /// Removes watched steps that were moved or replaced. They are part of the rewind by their worker's last attempt.
  std::vector<Rewind> apply_vanished() {
    std::map<std::string, Rewind> by_worker;
    for (const auto& [step, worker] : index_.vanished()) by_worker[worker].steps.push_back(step);
    std::vector<Rewind> out;
    const std::unique_lock lock(model_mutex_);
    for (auto& [worker, rewind] : by_worker) {
      rewind.worker = worker;
      rewind.attempt = model_.attempts.last(worker);
      for (const auto& [key, object] : model_.attempt_objects)
        if (object.second.worker == worker && object.second.number == rewind.attempt)
          rewind.resumed_at = object.second.resumed_at;
      model_.remove(worker, rewind.steps, rewind.resumed_at);
      out.push_back(std::move(rewind));
    }
    return out;
  }

  /// Adds new attempts and removes the steps that they supersede.
  std::vector<Rewind> apply_attempts(const std::vector<Attempt>& begun) {
    std::vector<Rewind> out;
    if (begun.empty()) return out;
    if (std::any_of(begun.begin(), begun.end(), [](const Attempt& attempt) { return attempt.number > 0; }))
      collections_.clear();  // forces the next refresh to read them
    index_.attempt_has_begun();
    const std::unique_lock lock(model_mutex_);
    for (const Attempt& attempt : begun) {
      model_.attempts.add(attempt);
      if (attempt.number == 0) continue;  // the first has no predecessors
      Rewind& rewind = out.emplace_back(Rewind{attempt.worker, attempt.number, attempt.resumed_at, {}});
      for (const WorkerStepPtr& step : model_.superseded_by(attempt)) rewind.steps.push_back(step->step.global_step);
      model_.remove(attempt.worker, rewind.steps, attempt.resumed_at);
    }
    return out;
  }

  /// Adds those of the `found` steps that count, and their numbers to `steps`.
  void apply_found(const std::vector<WorkerStepPtr>& found, const std::vector<Attempt>& begun,
                   std::set<std::int64_t>& steps) {
    const std::unique_lock lock(model_mutex_);
    model_.workers.insert(index_.workers().begin(), index_.workers().end());
    for (const WorkerStepPtr& step : found) {
      const std::int64_t global_step = step->step.global_step;
      // The reader may have skipped files between the start of the new attempt and this step; the next round reads all.
      if (std::any_of(begun.begin(), begun.end(), [&](const Attempt& attempt) {
            return attempt.number > 0 && attempt.worker == step->worker && attempt.resumed_at < global_step;
          }))
        continue;
      const std::int64_t last_known = std::max<std::int64_t>(model_.attempts.last(step->worker), 0);
      const bool early = options_.follow && !marker_ && step->attempt.value_or(0) > last_known;
      const bool superseded = !model_.attempts.counts(step->worker, step->attempt, global_step);
      if (superseded || early) {
        index_.defer(*step, superseded);
      } else {
        model_.add(step);
        steps.insert(global_step);
      }
    }
    // The collections file of a followed run, and with it the number of workers, may come later.
    const std::int64_t unknown = options_.follow ? std::numeric_limits<std::int64_t>::max() : 1;
    const std::int64_t needed = model_.num_workers.value_or(unknown);
    model_.update_last_complete(needed);
    if (index_.passes_range(model_.attempts, needed)) model_.complete_before(*options_.range_steps.end);
    index_.forget_passed(model_);
  }

  /// Returns true if the run has ended just now.
  bool apply_end() {
    bool ended = marker_ && model_.attempts.end_counts(*marker_);
    if (ended && !model_.ended && options_.follow && model_.num_workers.value_or(1) > 1 && model_.has_incomplete()) {
      if (!end_seen_) end_seen_ = options_.clock();
      ended = options_.clock() - *end_seen_ >= options_.end_delay;
    }
    if (!marker_) end_seen_.reset();
    const std::unique_lock lock(model_mutex_);
    return !std::exchange(model_.ended, ended) && ended;
  }

  std::shared_ptr<const PackedRun> store_;
  const TrialOptions options_;
  mutable DamageList damage_;
  TextObjects objects_{*store_, damage_};

  std::mutex refresh_mutex_;  // guards the members below; its holder may read the model without the other lock
  IndexReader index_{objects_, options_.range_steps};
  std::optional<std::string> marker_;
  TrialOptions::Clock::time_point verified_;  // that the run is the one that was opened
  std::optional<TrialOptions::Clock::time_point> end_seen_;
  std::set<std::string> damaged_segments_;
  std::vector<ObjectInfo> collections_;  // the listing of the files that the model knows

  mutable std::shared_mutex model_mutex_;  // guards the model
  RunModel model_;

  std::atomic<int> pauses_ = 0;
  std::atomic<bool> has_collections_ = false;  // or had some
  mutable std::mutex poll_mutex_;              // guards the members below
  mutable std::optional<Error> gone_;          // set while the run is gone
  TrialOptions::Clock::time_point refreshed_;
  std::vector<Rewind> rewinds_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
