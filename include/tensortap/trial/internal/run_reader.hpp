// Keeps a Run in step with its store. A refresh may happen at any moment of the writers' lives, so the order in which
// it reads is the writers' backwards: the end marker before the index, for what it closes is then there; the attempts
// after the index, for then no index file counts before its attempt is known, which sets aside the steps of its
// predecessors.
//
// Not for users: Trial is the way in.
#pragma once

#include <algorithm>
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
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/index_reader.hpp>
#include <tensortap/trial/internal/membership.hpp>
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/internal/run.hpp>
#include <tensortap/trial/internal/text_objects.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class RunReader {
 public:
  RunReader(std::shared_ptr<const Store> store, const TrialOptions& options)
      : store_(std::move(store)), options_(options) {}

  /// Reads what is new. What fails is damage, and tried again the next time.
  Changes refresh() {
    constexpr int rounds = 4;  // another one if an attempt has begun meanwhile
    const std::lock_guard one_at_a_time(refreshing_);
    const bool was_there = run_.exists();
    Changes changes;
    std::set<std::int64_t> steps;
    parallel_for(2, store_->concurrency(), [this](std::size_t i) { i == 0 ? read_end() : read_collections(); });
    if (!was_there) (void)apply(read_attempts());  // so that no index file has to be read twice
    for (int round = 0; round < rounds; ++round) {
      const bool last = options_.follow && !run_.ended && marker_ && run_.attempts.end_counts(*marker_);
      const auto found = index_.read(run_, last, [this](const auto&... index) { return make_part(index...); });
      const std::vector<Attempt> begun = read_attempts();
      std::vector<Rewind> rewinds = apply_vanished();
      for (Rewind& rewind : apply(begun)) rewinds.push_back(std::move(rewind));
      for (const Rewind& rewind : rewinds)
        for (const std::int64_t step : rewind.steps) steps.erase(step);
      if (was_there) changes.rewinds.insert(changes.rewinds.end(), rewinds.begin(), rewinds.end());
      apply(found, begun, steps);
      for (const Attempt& attempt : begun)
        if (attempt.number > 0)
          for (const Run::Answer& part : run_.set_aside(attempt, false)) index_.doubt(part);
      if (begun.empty()) break;
    }
    changes.ended = apply_end();
    changes.steps.assign(steps.begin(), steps.end());
    return changes;
  }

  /// Calls `look` with the run, which does not change meanwhile.
  template <class Look>
  decltype(auto) look(const Look& look) const {
    const std::shared_lock lock(mutex_);
    return look(run_);
  }

  /// Whether what `answer` says was set aside or replaced since it was read.
  [[nodiscard]] bool is_superseded(const Run::Answer& answer) const {
    const Part& part = *answer.part;
    try {
      const auto size = store_->size(part.key);
      if (!size || *size != part.index_size) return true;
    } catch (const Error&) {
      return false;
    }
    const auto supersedes = [&](const Attempt& attempt) {
      return attempt.worker == answer.worker && attempt.number > part.run.value_or(-1) &&
             attempt.resumed_at < part.step.global_step;
    };
    for (const ObjectInfo& object : objects_.list(layout::attempts_prefix).value_or(std::vector<ObjectInfo>{})) {
      auto attempt = look([&](const Run& run) -> std::optional<Attempt> {
        const auto known = run.attempt_objects.find(object.key);
        return known == run.attempt_objects.end() ? std::nullopt : std::optional(known->second.second);
      });
      if (!attempt) attempt = objects_.read(object.key, parse_named_attempt).value;
      if (attempt && supersedes(*attempt)) return true;
    }
    return look([&](const Run& run) {
      const Run::Parts* parts = run.parts(part.step.global_step);
      const auto found = parts == nullptr ? Run::Parts::const_iterator() : parts->find(answer.worker);
      return parts == nullptr || found == parts->end() || found->second != answer.part;
    });
  }

  [[nodiscard]] const Store& store() const noexcept { return *store_; }
  [[nodiscard]] DamageList& damage() const noexcept { return damage_; }

 private:
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

  /// All workers are expected to say the same, and as in smdebug one of them is believed: the last whose file can be
  /// read.
  void read_collections() {
    const auto same = [](const ObjectInfo& a, const ObjectInfo& b) { return a.key == b.key && a.size == b.size; };
    auto listed = objects_.list(layout::collections_prefix);
    if (!listed || std::equal(listed->begin(), listed->end(), collections_.begin(), collections_.end(), same)) return;
    std::set<std::string> workers;
    std::vector<std::string> keys;
    for (const ObjectInfo& object : *listed)
      if (auto worker = layout::parse_collections_key(object.key)) {
        workers.insert(std::move(*worker));
        keys.push_back(object.key);
      }
    std::optional<CollectionsFile> believed;
    bool sound = true;
    auto files = objects_.read_all(keys, parse_collections);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (files[i].gone) objects_.add_missing(keys[i]);
      sound = sound && files[i].value;
      if (files[i].value) believed = std::move(files[i].value);
    }
    collections_.clear();
    if (sound) collections_ = std::move(*listed);
    const std::unique_lock lock(mutex_);
    run_.workers.merge(workers);
    if (!believed) return;
    run_.num_workers = believed->num_workers;
    if (believed->collections != run_.membership->collections())
      run_.membership = std::make_shared<const Membership>(std::move(believed->collections));
  }

  /// Names enter the run with it.
  std::shared_ptr<const Part> make_part(const IndexFile& index, const layout::StepName& name, const std::string& key,
                                        std::uint64_t size) {
    const std::unique_lock lock(mutex_);
    return run_.part_of(index, name.global_step, key, size);
  }

  /// With the worker as index files name him.
  static Attempt parse_named_attempt(std::string_view text, const std::string& key) {
    Attempt attempt = parse_attempt(text, key);
    attempt.worker = layout::worker_from_file_name(layout::worker_in_file_name(attempt.worker));
    return attempt;
  }

  /// Reads the attempts that are new, or have been closed. Returns the new ones, ascending.
  std::vector<Attempt> read_attempts() {
    std::vector<std::string> keys;
    for (const ObjectInfo& object : objects_.list(layout::attempts_prefix).value_or(std::vector<ObjectInfo>{})) {
      const auto known = run_.attempt_objects.find(object.key);
      if (known == run_.attempt_objects.end() || known->second.first != object.size) keys.push_back(object.key);
    }
    std::vector<Attempt> begun;
    const auto attempts = objects_.read_all(keys, parse_named_attempt);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!attempts[i].value) continue;
      const std::unique_lock lock(mutex_);
      if (!run_.attempt_objects.contains(keys[i])) begun.push_back(*attempts[i].value);
      run_.attempt_objects[keys[i]] = {attempts[i].size, *attempts[i].value};
    }
    std::stable_sort(begun.begin(), begun.end(), [](const Attempt& a, const Attempt& b) { return a.number < b.number; });
    return begun;
  }

  /// What names no attempt went as it was moved.
  std::vector<Rewind> apply_vanished() {
    std::map<std::string, Rewind> by_worker;
    for (const auto& [step, worker] : index_.vanished()) by_worker[worker].steps.push_back(step);
    std::vector<Rewind> out;
    const std::unique_lock lock(mutex_);
    for (auto& [worker, rewind] : by_worker) {
      rewind.worker = worker;
      rewind.run = run_.attempts.last(worker);
      for (const auto& [key, attempt] : run_.attempt_objects)
        if (attempt.second.worker == worker && attempt.second.number == rewind.run)
          rewind.resumed_at = attempt.second.resumed_at;
      run_.remove(worker, rewind.steps, rewind.resumed_at);
      out.push_back(std::move(rewind));
    }
    return out;
  }

  std::vector<Rewind> apply(const std::vector<Attempt>& begun) {
    std::vector<Rewind> out;
    if (begun.empty()) return out;
    if (std::any_of(begun.begin(), begun.end(), [](const Attempt& attempt) { return attempt.number > 0; }))
      collections_.clear();  // to be read again
    index_.rewind();
    const std::unique_lock lock(mutex_);
    for (const Attempt& attempt : begun) {
      run_.attempts.add(attempt);
      if (attempt.number == 0) continue;  // the first has no predecessors
      Rewind& rewind = out.emplace_back(Rewind{attempt.worker, attempt.number, attempt.resumed_at, {}});
      for (const Run::Answer& part : run_.set_aside(attempt, true)) rewind.steps.push_back(part.part->step.global_step);
      run_.remove(attempt.worker, rewind.steps, attempt.resumed_at);
    }
    return out;
  }

  void apply(const std::vector<Run::Answer>& found, const std::vector<Attempt>& begun, std::set<std::int64_t>& steps) {
    const std::unique_lock lock(mutex_);
    run_.workers.insert(index_.workers().begin(), index_.workers().end());
    for (const Run::Answer& part : found) {
      const std::int64_t step = part.part->step.global_step;
      const auto run = part.part->run;
      // What lies between it and where an attempt has begun just now may have been passed over: all is listed again.
      if (std::any_of(begun.begin(), begun.end(), [&](const Attempt& attempt) {
            return attempt.number > 0 && attempt.worker == part.worker && attempt.resumed_at < step;
          }))
        continue;
      const bool early =
          options_.follow && !marker_ && run.value_or(0) > std::max<std::int64_t>(run_.attempts.last(part.worker), 0);
      if (const bool dead = !run_.attempts.counts(part.worker, run, step); dead || early) {
        index_.put_off(part, dead);
      } else {
        run_.add(part.worker, part.part);
        steps.insert(step);
      }
    }
    // While it is followed, a run may yet say how many are to write it.
    const std::int64_t unknown = options_.follow ? std::numeric_limits<std::int64_t>::max() : 1;
    const std::int64_t needed = run_.num_workers.value_or(unknown);
    run_.update_last_complete(needed);
    if (index_.passes_range(run_.attempts, needed)) run_.all_complete_before(*options_.range_steps.end);
    index_.forget_passed(run_);
  }

  /// True if the run has ended just now.
  bool apply_end() {
    bool ended = marker_ && run_.attempts.end_counts(*marker_);
    if (ended && !run_.ended && options_.follow && run_.num_workers.value_or(1) > 1 && run_.has_incomplete()) {
      if (!end_seen_) end_seen_ = options_.clock();
      ended = options_.clock() - *end_seen_ >= options_.end_delay;
    }
    if (!marker_) end_seen_.reset();
    const std::unique_lock lock(mutex_);
    return !std::exchange(run_.ended, ended) && ended;
  }

  std::shared_ptr<const Store> store_;
  const TrialOptions& options_;
  mutable DamageList damage_;
  TextObjects objects_{*store_, damage_};

  std::mutex refreshing_;  // guards what is below, and may look at the run without the other lock
  IndexReader index_{objects_, options_.range_steps};
  std::optional<std::string> marker_;
  std::optional<TrialOptions::Clock::time_point> end_seen_;
  std::vector<ObjectInfo> collections_;  // as they were read

  mutable std::shared_mutex mutex_;  // guards the run
  Run run_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
