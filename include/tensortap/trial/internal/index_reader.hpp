// Reads the index of a run, and of it only what is new, so that after each reading the steps of every worker are a
// prefix of those that count:
//
//   - A listing may miss what is put while it is made. So what is new is listed twice, and believed as far as the first
//     listing goes: whatever was put before that is in the second.
//   - Index files that do not count, because their attempt is dead, or that cannot be read, are looked at again: a
//     younger attempt may put its own in their place.
//   - Index files that name no attempt count while they are there. Once a younger attempt has begun, that is looked at.
//   - Where calls take their time index files are read at the same time, so in no order. None of the above needs one.
//
// Not for users: Trial is the way in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
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
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/internal/run.hpp>
#include <tensortap/trial/internal/text_objects.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one at a time.
class IndexReader {
 public:
  /// An index file that was read, and is not judged yet.
  using Found = Run::Answer;

  IndexReader(const TextObjects& objects, const StepRange& range) : objects_(objects), range_(range) {}

  /// The index files that are not in `run` yet, in no order. `make_part(index, name, key, size)` makes their parts.
  /// All of the index is looked through if it is the `last` time.
  template <class MakePart>
  [[nodiscard]] std::vector<Found> read(const Run& run, bool last, const MakePart& make_part) {
    found_.clear();
    met_.clear();
    vanished_.clear();
    probe(run, last ? pending_.size() : probes, make_part);
    if (!is_passed_ && !read_listed(run, last ? std::string() : after_complete(run), make_part))
      for (const Found& found : std::exchange(found_, {})) put_off(found, false);
    reread_dead(run, make_part);
    for (const Found& found : found_) goes_on_.insert(found.worker);
    return std::exchange(found_, {});
  }

  /// `found` does not count, because its attempt is dead, or is not known yet.
  void put_off(const Found& found, bool dead) {
    pending_[found.part->key] = {{found.part->step.global_step, found.worker}, dead};
  }

  /// `part`, which is in the run, may be moved or replaced.
  void doubt(const Found& part) {
    doubtful_.insert_or_assign(part.part->key, part);
    goes_on_.erase(part.worker);
  }

  /// The steps and workers of those that the last reading found moved or replaced.
  [[nodiscard]] const std::set<std::pair<std::int64_t, std::string>>& vanished() const noexcept { return vanished_; }

  /// Forgets what was put off and will not count any more.
  void forget_passed(const Run& run) {
    std::erase_if(pending_, [&](const auto& pending) {
      return is_passed(run, pending.second) && pending.second.name.global_step <= run.last_complete();
    });
  }

  /// Who has written an index file, readable or not.
  [[nodiscard]] const std::set<std::string>& workers() const noexcept { return workers_; }

  /// An attempt has begun: what lies behind may be written again.
  void rewind() {
    is_passed_ = false;
    beyond_.clear();
  }

  /// Whether `needed` workers have gone beyond the range of steps: nothing in it is to come.
  [[nodiscard]] bool passes_range(const Attempts& attempts, std::int64_t needed) {
    // What lies beyond is not read, so it may be a dead attempt's.
    const auto is_certain = [&](const std::string& worker) {
      const std::int64_t last = attempts.last(worker);
      return last <= 0 || attempts.counts(worker, last - 1, *range_.end - 1);
    };
    is_passed_ = range_.end && std::count_if(beyond_.begin(), beyond_.end(), is_certain) >= needed;
    return is_passed_;
  }

 private:
  /// An index file that is there, and not in the run.
  struct Pending {
    layout::StepName name;
    bool dead = false;  // its attempt does not count; else it cannot be read, or its attempt is not known
  };
  static constexpr std::size_t probes = 32;  // twice in one reading: dead attempts may have left very many
  using Listed = std::vector<std::pair<layout::StepName, std::string>>;  // with their keys
  using Gone = std::map<std::string, layout::StepName>;                  // by key

  /// How far each attempt of each worker has come.
  class Frontier {
   public:
    void add(const Found& found) {
      auto& step = steps_[found.worker].try_emplace(run_of(found), -1).first->second;
      step = std::max(step, found.part->step.global_step);
    }
    /// Whether one of `run` or a younger attempt of `worker` is at `step` or beyond: then whatever counts there was put
    /// before.
    [[nodiscard]] bool covers(const std::string& worker, std::int64_t run, std::int64_t step) const {
      const auto found = steps_.find(worker);
      return found != steps_.end() && std::any_of(found->second.lower_bound(run), found->second.end(),
                                                  [&](const auto& attempt) { return attempt.second >= step; });
    }
    [[nodiscard]] bool covers(const Found& found) const {
      return covers(found.worker, run_of(found), found.part->step.global_step);
    }

    static constexpr std::int64_t no_run = -1;

   private:
    static std::int64_t run_of(const Found& found) { return found.part->run.value_or(no_run); }

    std::map<std::string, std::map<std::int64_t, std::int64_t>> steps_;  // by worker, by attempt
  };

  /// After what a listing begins: all there is up to the last complete step is known.
  [[nodiscard]] std::string after_complete(const Run& run) const {
    constexpr std::int64_t longer_numbers = 100'000'000'000;  // beyond, keys are not in the order of numbers
    const std::int64_t known = std::max(run.last_complete(), range_.begin - 1);
    if (known < 0 || known >= longer_numbers) return {};
    const std::string key = layout::index_key(known + 1, "");
    const std::string after = key.substr(0, key.rfind('_'));  // before those of all workers
    if (doubtful_.empty()) return after;
    const std::string& doubtful = doubtful_.begin()->first;
    return std::min(after, doubtful.substr(0, doubtful.size() - 1));
  }

  /// Reads what is listed and not known. False if it cannot be listed.
  template <class MakePart>
  bool read_listed(const Run& run, const std::string& after, const MakePart& make_part) {
    const auto first = objects_.list(layout::index_prefix, after);
    if (!first) return false;
    forget_missing(*first, after);
    check_doubtful(*first);
    const Gone gone = read_each(fresh_among(*first, run), make_part);
    if (found_.empty() && gone.empty()) return true;

    const auto second = objects_.list(layout::index_prefix, after);
    if (!second) return false;
    drop_unsettled(run, *second, after);
    Frontier frontier;
    for (const Found& found : found_) frontier.add(found);
    const auto count = static_cast<std::ptrdiff_t>(found_.size());
    Listed chosen = fresh_among(*second, run);
    std::erase_if(chosen, [&](const auto& file) {
      return !gone.contains(file.second) &&
             !frontier.covers(file.first.worker, Frontier::no_run, file.first.global_step);
    });
    for (const auto& [key, name] : read_each(chosen, make_part))
      if (gone.contains(key)) {
        objects_.add_missing(key);
        pending_[key] = {name, false};
      }
    // Only now is it known which attempt wrote them.
    const auto uncovered = std::stable_partition(found_.begin() + count, found_.end(),
                                                 [&](const Found& found) { return frontier.covers(found); });
    for (auto found = uncovered; found != found_.end(); ++found) put_off(*found, false);
    found_.erase(uncovered, found_.end());
    return true;
  }

  /// Those of `objects` that are not known, by number: steps of more than 12 digits sort wrongly as text.
  [[nodiscard]] Listed fresh_among(const std::vector<ObjectInfo>& objects, const Run& run) {
    Listed out;
    for (const ObjectInfo& object : objects) {
      auto name = layout::parse_index_key(object.key);
      if (!name) continue;
      if (range_.end && name->global_step >= *range_.end) beyond_.insert(name->worker);
      const Run::Parts* parts = run.parts(name->global_step);
      const std::pair id(name->global_step, name->worker);
      const bool known = (parts != nullptr && parts->contains(name->worker) && !vanished_.contains(id)) ||
                         pending_.contains(object.key) || met_.contains(id);
      if (!known && range_.contains(name->global_step)) out.emplace_back(std::move(*name), object.key);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first.global_step, a.first.worker) < std::tie(b.first.global_step, b.first.worker);
    });
    return out;
  }

  /// Reads them, as many at once as pays off. Returns those that are gone.
  template <class MakePart>
  Gone read_each(const Listed& files, const MakePart& make_part) {
    Gone gone;
    std::vector<std::string> keys;
    for (std::size_t begin = 0; begin < files.size(); begin += keys.size()) {
      keys.clear();
      const std::size_t end = std::min(files.size(), begin + objects_.at_once());
      for (std::size_t i = begin; i < end; ++i) keys.push_back(files[i].second);
      const auto read = objects_.read_all(keys, parse_checked);
      for (std::size_t i = begin; i < end; ++i) {
        const auto& [name, key] = files[i];
        const auto& index = read[i - begin];
        pending_.erase(key);
        if (index.gone) {
          gone.emplace(key, name);
          continue;
        }
        met_.emplace(name.global_step, name.worker);
        workers_.insert(name.worker);
        if (index.value) {
          found_.push_back({name.worker, make_part(*index.value, name, key, index.size)});
        } else {
          pending_[key] = {name, false};
        }
      }
    }
    return gone;
  }

  /// Of those that name no attempt, though there are younger ones, the last may have been read before they were moved,
  /// and the first after they were put again. What is not as it was read, and all behind, has to be read anew.
  void drop_unsettled(const Run& run, const std::vector<ObjectInfo>& listed, const std::string& after) {
    std::map<std::string, std::int64_t> first;  // by worker
    for (const Found& found : found_) {
      const Part& part = *found.part;
      if (part.run || part.key <= after || run.attempts.last(found.worker) <= 0) continue;
      if (const ObjectInfo* object = find(listed, part.key); object != nullptr && object->size == part.index_size)
        continue;
      auto& step = first.try_emplace(found.worker, part.step.global_step).first->second;
      step = std::min(step, part.step.global_step);
    }
    std::erase_if(found_, [&](const Found& found) {
      const auto from = first.find(found.worker);
      return from != first.end() && found.part->step.global_step >= from->second;
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

  /// Looks at pending files again: the first ones, since workers go on in order, and some of the others in turn. Before
  /// the listing: what a live one comes after is then listed.
  template <class MakePart>
  void probe(const Run& run, std::size_t limit, const MakePart& make_part) {
    std::map<std::string, layout::StepName> chosen;
    const auto choose = [&](auto at) {
      for (std::size_t i = 0, n = 0; i < pending_.size() && n < limit; ++i, ++at) {
        if (at == pending_.end()) at = pending_.begin();
        if (is_passed(run, at->second)) continue;
        chosen.emplace(at->first, at->second.name);
        last_probed_ = at->first;
        ++n;
      }
    };
    const std::string turn = last_probed_;
    choose(pending_.begin());
    choose(pending_.upper_bound(turn));
    Listed files;
    for (const auto& [key, name] : chosen) files.emplace_back(name, key);
    (void)read_each(files, make_part);
  }

  /// Before a step that counts, its worker may have put others in the place of dead ones since those were read.
  template <class MakePart>
  void reread_dead(const Run& run, const MakePart& make_part) {
    std::erase_if(found_, [&](const Found& found) {
      const bool dead = !run.attempts.counts(found.worker, found.part->run, found.part->step.global_step);
      if (dead) put_off(found, true);
      return dead;
    });
    if (pending_.empty()) return;
    Frontier live;
    for (const Found& found : found_) live.add(found);
    Listed chosen;
    for (const auto& [key, pending] : pending_)
      if (pending.dead && !is_passed(run, pending) &&
          live.covers(pending.name.worker, Frontier::no_run, pending.name.global_step))
        chosen.emplace_back(pending.name, key);
    (void)read_each(chosen, make_part);
  }

  /// Whether it is dead for good: its worker has gone past it.
  [[nodiscard]] static bool is_passed(const Run& run, const Pending& pending) {
    return pending.dead && pending.name.global_step <= run.last_of(pending.name.worker);
  }

  static const ObjectInfo* find(const std::vector<ObjectInfo>& listed, const std::string& key) {
    const auto found = std::lower_bound(listed.begin(), listed.end(), key,
                                        [](const ObjectInfo& object, const std::string& k) { return object.key < k; });
    return found == listed.end() || found->key != key ? nullptr : &*found;
  }

  /// Pending files that are listed no more were moved away.
  void forget_missing(const std::vector<ObjectInfo>& listed, const std::string& after) {
    std::erase_if(pending_, [&](const auto& pending) {
      const bool missing = pending.first > after && find(listed, pending.first) == nullptr;
      if (missing) objects_.damage().repaired(pending.first);
      return missing;
    });
  }

  void check_doubtful(const std::vector<ObjectInfo>& listed) {
    std::erase_if(doubtful_, [&](const auto& doubtful) {
      const Part& part = *doubtful.second.part;
      const ObjectInfo* object = find(listed, doubtful.first);
      if (object != nullptr && object->size == part.index_size) return goes_on_.contains(doubtful.second.worker);
      vanished_.emplace(part.step.global_step, doubtful.second.worker);
      return true;
    });
  }

  const TextObjects& objects_;
  StepRange range_;
  std::map<std::string, Pending> pending_;  // by key
  std::string last_probed_;
  std::map<std::string, Found> doubtful_;  // by key
  std::set<std::string> goes_on_;          // workers that have written since: their rewind is over
  std::set<std::string> workers_;
  std::set<std::string> beyond_;  // workers that have put a step beyond the range
  bool is_passed_ = false;        // the range is

  // Of one reading:
  std::vector<Found> found_;
  std::set<std::pair<std::int64_t, std::string>> met_;  // what was read, or failed
  std::set<std::pair<std::int64_t, std::string>> vanished_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
