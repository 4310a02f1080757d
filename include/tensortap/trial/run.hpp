// A run as its index files tell it: which steps there are, which tensors, and where each record lies. Values are read
// later, one by one. What is damaged is skipped, listed, and never stops the rest from being read.
//
// Not for users: Trial and TensorHistory are the ways in.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

/// Something in a run that could not be read; safe to print.
struct Damage {
  std::string where;  ///< a key, or a tensor and step
  std::string cause;
};

namespace detail {

/// Damage as it is met. The same twice is listed once; the list is bounded. Threads: any.
class DamageList {
 public:
  void add(std::string_view where, std::string_view cause) const {
    const std::lock_guard lock(mutex_);
    if (seen_.size() < limit && seen_.emplace(where, cause).second) list_.push_back({escaped(where), escaped(cause)});
  }
  [[nodiscard]] std::vector<Damage> list() const {
    const std::lock_guard lock(mutex_);
    return list_;
  }

 private:
  static constexpr std::size_t limit = 10'000;
  mutable std::mutex mutex_;
  mutable std::set<std::pair<std::string, std::string>> seen_;
  mutable std::vector<Damage> list_;
};

/// Where a record lies.
struct Place {
  std::shared_ptr<const std::string> event_file;
  TensorLocation location;
};

/// What one worker saved of one tensor in one step.
struct Saved {
  std::optional<Place> raw;
  std::optional<std::vector<std::int64_t>> shape;
  std::map<std::string, Place, std::less<>> reductions;  // by their stored spelling
};

/// What was saved of one tensor: by global step, then by worker.
using SavedSteps = std::map<std::int64_t, std::map<std::string, Saved, std::less<>>>;

/// Everything the index of a run says.
struct Run {
  std::shared_ptr<const Store> store;
  bool ended = false;
  std::int64_t num_workers = 1;
  std::set<std::string> workers;
  std::vector<Collection> collections;
  std::map<std::string, SavedSteps, std::less<>> tensors;
  std::map<std::int64_t, Step> steps;                                // by global step
  std::map<std::int64_t, std::set<std::string>> writers;             // by global step: who has written it
  std::array<std::map<std::int64_t, std::int64_t>, 4> global_steps;  // by mode, by mode step: the first global step
  std::int64_t last_complete = -1;                                   // the last step that all workers have written
  DamageList damage;

  /// True if every worker has written `global_step`, or will not any more.
  [[nodiscard]] bool is_complete(std::int64_t global_step) const { return ended || global_step <= last_complete; }
};

/// The objects below `prefix`; none, with a line of damage, if they cannot be listed.
inline std::vector<ObjectInfo> list(const Run& run, std::string_view prefix) {
  try {
    return run.store->list(prefix);
  } catch (const Error& e) {
    run.damage.add(prefix, e.what());
    return {};
  }
}

/// Text of an object, or nothing with a line of damage.
inline std::optional<std::string> read_text(const Run& run, const std::string& key) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 30;  // no index of a real run comes near
  try {
    const auto size = run.store->size(key);
    if (!size) {
      run.damage.add(key, "it is listed, but not there");
    } else if (*size > limit) {
      run.damage.add(key, "too large (" + std::to_string(*size) + " bytes)");
    } else if (const auto bytes = run.store->get(key)) {
      return std::string(text_of(*bytes));
    }
  } catch (const Error& e) {
    run.damage.add(key, e.what());
  }
  return std::nullopt;
}

/// All workers are expected to say the same, and as in smdebug one of them is believed: the last whose file can be
/// read.
inline void load_collections(Run& run) {
  for (const ObjectInfo& object : list(run, layout::collections_prefix)) {
    const auto worker = layout::parse_collections_key(object.key);
    if (!worker) continue;
    run.workers.insert(*worker);
    const auto text = read_text(run, object.key);
    if (!text) continue;
    try {
      auto file = parse_collections(*text, object.key);
      run.collections = std::move(file.collections);
      run.num_workers = file.num_workers;
    } catch (const Error& e) {
      run.damage.add(object.key, e.what());
    }
  }
}

/// Adds what one index file says.
inline void add_index(Run& run, const layout::IndexName& name, const IndexFile& index) {
  const Step step{index.mode, index.mode_step, name.global_step};
  run.steps.try_emplace(step.global_step, step);
  run.writers[step.global_step].insert(name.worker);
  // Two global steps may claim one mode step; as smdebug has it, the first gives the number and the last the values.
  std::int64_t at = step.global_step;
  if (step.mode != Mode::global)
    at = run.global_steps[index_of(step.mode)].try_emplace(step.mode_step, step.global_step).first->second;

  const auto event_file = std::make_shared<const std::string>(index.event_file);
  for (const TensorLocation& location : index.tensors) {
    if (const auto reduction = layout::parse_reduction_record(location.name)) {
      auto& saved = run.tensors[std::string(reduction->tensor)][at][name.worker];
      saved.reductions[std::string(reduction->reduction)] = {event_file, location};
    } else {
      run.tensors[location.name][at][name.worker].raw = {event_file, location};
    }
  }
  for (const SavedShape& shape : index.shapes) run.tensors[shape.name][at][name.worker].shape = shape.shape;
}

inline void load_index(Run& run) {
  std::vector<std::pair<layout::IndexName, std::string>> files;
  for (ObjectInfo& object : list(run, layout::index_prefix))
    if (auto name = layout::parse_index_key(object.key)) files.emplace_back(std::move(*name), std::move(object.key));
  // By number: steps of more than 12 digits sort wrongly as text.
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.global_step, a.first.worker) < std::tie(b.first.global_step, b.first.worker);
  });
  for (const auto& [name, key] : files) {
    run.workers.insert(name.worker);
    const auto text = read_text(run, key);
    if (!text) continue;
    try {
      const IndexFile index = parse_index(*text, key);
      if (!index.event_file.empty()) {
        (void)key_parts(index.event_file);
        if (!index.event_file.starts_with(layout::events_prefix))
          throw Error::damaged("index", key,
                               "event_file_name is not below events/ (" + in_quotes(index.event_file) + ")");
      }
      add_index(run, name, index);
    } catch (const Error& e) {
      run.damage.add(key, e.what());
    }
  }
  for (const auto& [step, writers] : run.writers)
    if (static_cast<std::int64_t>(writers.size()) >= run.num_workers) run.last_complete = step;
}

/// Reads what there is to know about the run in `store`. Throws: there is no run, or nothing of it can be reached.
inline std::shared_ptr<const Run> load_run(std::shared_ptr<const Store> store) {
  auto run = std::make_shared<Run>();
  run->store = std::move(store);
  try {
    run->ended = run->store->size(layout::end_marker).has_value();
  } catch (const Error& e) {
    run->damage.add(layout::end_marker, e.what());
  }
  load_collections(*run);
  load_index(*run);
  if (run->ended || !run->workers.empty()) return run;
  const auto damage = run->damage.list();
  if (damage.empty()) throw Error::run_not_found(run->store->location());
  throw Error::damaged("trial", run->store->location(), "nothing of the run can be read: " + damage[0].cause);
}

/// The tensor of the record at `place`. Throws: it is damaged or not there.
inline Tensor read_tensor(const Run& run, const Place& place) {
  const TensorLocation& location = place.location;
  const std::string& where = *place.event_file;
  const auto bytes = run.store->get(where, {location.start, location.length});
  if (!bytes) throw Error::damaged("record", where, "the events file is missing");
  if (bytes->size() < location.length)
    throw Error::damaged("record", where,
                         "it ends before the record at " + std::to_string(location.start) + " (" +
                             std::to_string(bytes->size()) + " of " + std::to_string(location.length) + " bytes)");
  const Bytes payload = tfrecord::payload(*bytes, where);
  if (payload.size() + tfrecord::header_size + tfrecord::footer_size != location.length)
    throw Error::damaged("record", where, "its length is not the index's (at " + std::to_string(location.start) + ")");
  if (location.crc32c && crc32c(payload) != *location.crc32c)
    throw Error::damaged("record", where,
                         "the payload's checksum does not match (at " + std::to_string(location.start) + ")");
  Event event = parse_event(payload);
  if (event.info.tag != location.name)
    throw Error::damaged("record", where, "another tensor is in its place (" + in_quotes(event.info.tag) + ")");
  return std::move(event.tensor);
}

}  // namespace detail

}  // namespace tensortap::inline v0
