// Reads the new index files of a run. After each reading, the steps of every worker are a prefix of its valid steps:
//
//   - A listing may miss objects that are put while it is made. So the reader lists twice and accepts new files up to
//     the last one of the first listing: the second listing has every file that was put before it.
//   - The reader defers index files whose attempt is superseded or unknown, and files that it cannot parse. It reads
//     them again later, because a new attempt may replace them.
//   - Index files that name no attempt count while they exist. Once a new attempt has begun, the reader checks whether
//     that attempt has moved or replaced them.
//   - If the store gains from it, several index files are read at the same time. No rule above relies on their order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/attempts.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/internal/run_model.hpp>
#include <tensortap/trial/internal/text_objects.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one at a time.
class IndexReader {
 public:
  IndexReader(const TextObjects& objects, const StepRange& range) : objects_(objects), range_(range) {}

  /// Returns the steps that `model` lacks, in any order. `make(index, name, key, size)` makes a WorkerStepPtr. If this
  /// is the `last` reading, reads all deferred files and lists the whole index.
  template <class Make>
  [[nodiscard]] std::vector<WorkerStepPtr> read(const RunModel& model, bool last, const Make& make) {
    found_.clear();
    read_.clear();
    vanished_.clear();
    read_deferred(model, last ? deferred_.size() : deferred_per_reading, make);
    if (!range_passed_ && !read_listed(model, last ? std::string() : after_complete(model), make))
      for (const WorkerStepPtr& found : std::exchange(found_, {})) defer(*found, false);
    reread_superseded(model, make);
    for (const WorkerStepPtr& found : found_) settled_workers_.insert(found->worker);
    return std::exchange(found_, {});
  }

  /// Defers `step`. `superseded`: its attempt is superseded; otherwise its attempt is not yet known.
  void defer(const WorkerStep& step, bool superseded) {
    deferred_[step.key] = {{step.step.global_step, step.worker}, superseded};
  }

  /// Watches `step` of the model, which a new attempt may move or replace.
  void watch(const WorkerStepPtr& step) {
    watched_.insert_or_assign(step->key, step);
    settled_workers_.erase(step->worker);
  }

  /// Returns steps and workers of the watched files that the last reading has found moved or replaced.
  [[nodiscard]] const std::set<std::pair<std::int64_t, std::string>>& vanished() const noexcept { return vanished_; }

  /// Forgets deferred files that will never count.
  void forget_passed(const RunModel& model) {
    std::erase_if(deferred_, [&](const auto& deferred) {
      return is_passed(model, deferred.second) && deferred.second.name.global_step <= model.last_complete();
    });
  }

  /// Returns the workers that have written an index file, readable or not.
  [[nodiscard]] const std::set<std::string>& workers() const noexcept { return workers_; }

  /// Notes that an attempt has begun, which may write steps again.
  void attempt_has_begun() {
    range_passed_ = false;
    workers_past_range_.clear();
  }

  /// Returns whether `needed` workers have written steps beyond the range, so that its steps can no longer appear.
  [[nodiscard]] bool passes_range(const Attempts& attempts, std::int64_t needed) {
    // Files beyond the range are not read, so a superseded attempt may have written them.
    const auto is_certain = [&](const std::string& worker) {
      const std::int64_t last = attempts.last(worker);
      return last <= 0 || attempts.counts(worker, last - 1, *range_.end - 1);
    };
    range_passed_ =
        range_.end && std::count_if(workers_past_range_.begin(), workers_past_range_.end(), is_certain) >= needed;
    return range_passed_;
  }

 private:
  /// An index file that exists but is not in the model.
  struct Deferred {
    layout::StepName name;
    bool superseded = false;  // else it cannot be read, or its attempt is not known
  };
  // The limit for each of the two groups that a reading tries. A superseded attempt may have left very many files.
  static constexpr std::size_t deferred_per_reading = 32;
  using NamedKeys = std::vector<std::pair<layout::StepName, std::string>>;
  using NamesByKey = std::map<std::string, layout::StepName>;

  /// The last step of each attempt of each worker.
  class Frontier {
   public:
    void add(const WorkerStep& step) {
      auto& last = last_[step.worker].try_emplace(number_of(step), -1).first->second;
      last = std::max(last, step.step.global_step);
    }
    /// Returns whether attempt `attempt` of `worker`, or a later one, has written `step` or a later step: then every
    /// valid file up to `step` was put before.
    [[nodiscard]] bool covers(const std::string& worker, std::int64_t attempt, std::int64_t step) const {
      const auto found = last_.find(worker);
      return found != last_.end() && std::any_of(found->second.lower_bound(attempt), found->second.end(),
                                                 [&](const auto& last) { return last.second >= step; });
    }
    [[nodiscard]] bool covers(const WorkerStep& step) const {
      return covers(step.worker, number_of(step), step.step.global_step);
    }

    static constexpr std::int64_t no_attempt = -1;

   private:
    static std::int64_t number_of(const WorkerStep& step) { return step.attempt.value_or(no_attempt); }

    std::map<std::string, std::map<std::int64_t, std::int64_t>> last_;  // by worker, by attempt
  };

  /// Returns the key after which a listing begins: the files up to the last complete step are known.
  [[nodiscard]] std::string after_complete(const RunModel& model) const {
    constexpr std::int64_t longer_numbers = 100'000'000'000;  // from here on, keys do not sort by number
    const std::int64_t known = std::max(model.last_complete(), range_.begin - 1);
    if (known < 0 || known >= longer_numbers) return {};
    const std::string key = layout::index_key(known + 1, "");
    std::string after = key.substr(0, key.rfind('_'));  // sorts before the keys of all workers
    if (watched_.empty()) return after;
    const std::string& watched = watched_.begin()->first;
    return std::min(after, watched.substr(0, watched.size() - 1));
  }

  /// Reads the listed files that are not known. Returns false if they cannot be listed.
  template <class Make>
  bool read_listed(const RunModel& model, const std::string& after, const Make& make) {
    const auto first = objects_.list(layout::index_prefix, after);
    if (!first) return false;
    forget_missing(*first, after);
    check_watched(*first);
    const NamesByKey gone = read_each(unknown_among(*first, model), make);
    if (found_.empty() && gone.empty()) return true;

    const auto second = objects_.list(layout::index_prefix, after);
    if (!second) return false;
    drop_replaced(model, *second, after);
    Frontier frontier;
    for (const WorkerStepPtr& found : found_) frontier.add(*found);
    const auto count = static_cast<std::ptrdiff_t>(found_.size());
    NamedKeys chosen = unknown_among(*second, model);
    std::erase_if(chosen, [&](const auto& file) {
      return !gone.contains(file.second) &&
             !frontier.covers(file.first.worker, Frontier::no_attempt, file.first.global_step);
    });
    for (const auto& [key, name] : read_each(chosen, make))
      if (gone.contains(key)) {
        objects_.add_missing(key);
        deferred_[key] = {name, false};
      }
    // The attempts of these files are known only now.
    const auto uncovered = std::stable_partition(found_.begin() + count, found_.end(),
                                                 [&](const WorkerStepPtr& found) { return frontier.covers(*found); });
    for (auto found = uncovered; found != found_.end(); ++found) defer(**found, false);
    found_.erase(uncovered, found_.end());
    return true;
  }

  /// Returns the unknown index files among `objects`, sorted by number: more than 12 digits do not sort as text.
  [[nodiscard]] NamedKeys unknown_among(const std::vector<ObjectInfo>& objects, const RunModel& model) {
    NamedKeys out;
    for (const ObjectInfo& object : objects) {
      auto name = layout::parse_index_key(object.key);
      if (!name) continue;
      if (range_.end && name->global_step >= *range_.end) workers_past_range_.insert(name->worker);
      const RunModel::ByWorker* by_worker = model.worker_steps(name->global_step);
      const std::pair id(name->global_step, name->worker);
      const bool known = (by_worker != nullptr && by_worker->contains(name->worker) && !vanished_.contains(id)) ||
                         deferred_.contains(object.key) || read_.contains(id);
      if (!known && range_.contains(name->global_step)) out.emplace_back(std::move(*name), object.key);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first.global_step, a.first.worker) < std::tie(b.first.global_step, b.first.worker);
    });
    return out;
  }

  /// Reads `files` in batches. Returns those that do not exist any more.
  template <class Make>
  NamesByKey read_each(const NamedKeys& files, const Make& make) {
    NamesByKey gone;
    std::vector<std::string> keys;
    for (std::size_t begin = 0; begin < files.size(); begin += keys.size()) {
      keys.clear();
      const std::size_t end = std::min(files.size(), begin + objects_.batch_size());
      for (std::size_t i = begin; i < end; ++i) keys.push_back(files[i].second);
      const auto read = objects_.read_all(keys, parse_checked);
      for (std::size_t i = begin; i < end; ++i) {
        const auto& [name, key] = files[i];
        const auto& index = read[i - begin];
        deferred_.erase(key);
        if (index.gone) {
          gone.emplace(key, name);
          continue;
        }
        read_.emplace(name.global_step, name.worker);
        workers_.insert(name.worker);
        if (!index.value || !keep(*index.value, name, key, index.size, make)) deferred_[key] = {name, false};
      }
    }
    return gone;
  }

  /// Adds a file to those found. Returns false, which is damage of this file, if it does not fit into memory.
  template <class Make>
  bool keep(const IndexFile& index, const layout::StepName& name, const std::string& key, std::uint64_t size,
            const Make& make) {
    try {
      found_.push_back(make(index, name, key, size));
      return true;
    } catch (const std::bad_alloc&) {
      objects_.add_no_memory(key);
      return false;
    }
  }

  /// Drops each index file without an attempt that the second listing lacks or shows with another size, and all later
  /// files of its worker. A new attempt may have moved or replaced files while they were read.
  void drop_replaced(const RunModel& model, const std::vector<ObjectInfo>& listed, const std::string& after) {
    std::map<std::string, std::int64_t> first;  // by worker
    for (const WorkerStepPtr& found : found_) {
      if (found->attempt || found->key <= after || model.attempts.last(found->worker) <= 0) continue;
      if (const ObjectInfo* object = find(listed, found->key); object != nullptr && object->size == found->index_size)
        continue;
      auto& step = first.try_emplace(found->worker, found->step.global_step).first->second;
      step = std::min(step, found->step.global_step);
    }
    std::erase_if(found_, [&](const WorkerStepPtr& found) {
      const auto from = first.find(found->worker);
      return from != first.end() && found->step.global_step >= from->second;
    });
  }

  static IndexFile parse_checked(std::string_view text, const std::string& key) {
    IndexFile index = parse_index(text, key);
    if (index.event_file.empty()) return index;
    (void)key_parts(index.event_file);
    if (!index.event_file.starts_with(layout::events_prefix))
      throw Error::damaged("index", key, "event_file_name is not below events/ (" + in_quotes(index.event_file) + ")");
    return index;
  }

  /// Reads deferred files again: the first ones, because workers write in order, and then others in rotation. Runs
  /// before the listing, which then has every file that was put before the files found here.
  template <class Make>
  void read_deferred(const RunModel& model, std::size_t limit, const Make& make) {
    NamesByKey chosen;
    const auto choose = [&](auto at) {
      for (std::size_t i = 0, n = 0; i < deferred_.size() && n < limit; ++i, ++at) {
        if (at == deferred_.end()) at = deferred_.begin();
        if (is_passed(model, at->second)) continue;
        chosen.emplace(at->first, at->second.name);
        last_tried_ = at->first;
        ++n;
      }
    };
    const std::string turn = last_tried_;
    choose(deferred_.begin());
    choose(deferred_.upper_bound(turn));
    NamedKeys files;
    for (const auto& [key, name] : chosen) files.emplace_back(name, key);
    (void)read_each(files, make);
  }

  /// Defers superseded files. Reads those again that lie before a valid step of the same worker, which may have
  /// replaced them meanwhile.
  template <class Make>
  void reread_superseded(const RunModel& model, const Make& make) {
    std::erase_if(found_, [&](const WorkerStepPtr& found) {
      const bool superseded = !model.attempts.counts(found->worker, found->attempt, found->step.global_step);
      if (superseded) defer(*found, true);
      return superseded;
    });
    if (deferred_.empty()) return;
    Frontier frontier;
    for (const WorkerStepPtr& found : found_) frontier.add(*found);
    NamedKeys chosen;
    for (const auto& [key, deferred] : deferred_)
      if (deferred.superseded && !is_passed(model, deferred) &&
          frontier.covers(deferred.name.worker, Frontier::no_attempt, deferred.name.global_step))
        chosen.emplace_back(deferred.name, key);
    (void)read_each(chosen, make);
  }

  /// Returns whether a superseded file stays superseded, because its worker has a valid step at or after it.
  [[nodiscard]] static bool is_passed(const RunModel& model, const Deferred& deferred) {
    return deferred.superseded && deferred.name.global_step <= model.last_of(deferred.name.worker);
  }

  static const ObjectInfo* find(const std::vector<ObjectInfo>& listed, const std::string& key) {
    const auto found = std::lower_bound(listed.begin(), listed.end(), key,
                                        [](const ObjectInfo& object, const std::string& k) { return object.key < k; });
    return found == listed.end() || found->key != key ? nullptr : &*found;
  }

  /// Forgets deferred files that are not listed any more: an attempt has moved them.
  void forget_missing(const std::vector<ObjectInfo>& listed, const std::string& after) {
    std::erase_if(deferred_, [&](const auto& deferred) {
      const bool missing = deferred.first > after && find(listed, deferred.first) == nullptr;
      if (missing) objects_.damage().repaired(deferred.first);
      return missing;
    });
  }

  /// Stops watching files that were moved or replaced, and those of workers whose rewind is over.
  void check_watched(const std::vector<ObjectInfo>& listed) {
    std::erase_if(watched_, [&](const auto& watched) {
      const WorkerStep& step = *watched.second;
      const ObjectInfo* object = find(listed, watched.first);
      if (object != nullptr && object->size == step.index_size) return settled_workers_.contains(step.worker);
      vanished_.emplace(step.step.global_step, step.worker);
      return true;
    });
  }

  const TextObjects& objects_;
  StepRange range_;
  std::map<std::string, Deferred> deferred_;      // by key
  std::string last_tried_;                        // of the deferred keys
  std::map<std::string, WorkerStepPtr> watched_;  // by key
  std::set<std::string> settled_workers_;         // workers that have written since their rewind began, so it is over
  std::set<std::string> workers_;
  std::set<std::string> workers_past_range_;
  bool range_passed_ = false;

  // Of one reading:
  std::vector<WorkerStepPtr> found_;
  std::set<std::pair<std::int64_t, std::string>> read_;  // steps and workers whose files exist, sound or damaged
  std::set<std::pair<std::int64_t, std::string>> vanished_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
