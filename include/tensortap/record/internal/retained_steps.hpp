// The saved steps of a worker, in groups that can only be removed together, and which of them are beyond a budget.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/retention.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Steps whose records lie in one events file, or in one segment.
struct StepGroup {
  std::int64_t last = 0;  ///< the last global step
  std::int64_t steps = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> indexes = {};  ///< keys; of a segment, the segment itself
  std::vector<std::string> events = {};
};

/// Threads: one at a time.
class RetainedSteps {
 public:
  explicit RetainedSteps(std::string worker) : worker_(std::move(worker)) {}

  /// Takes note of what `run`, a Store, holds. A damaged segment counts as one step. Throws: the store failed.
  template <class Run>
  void learn(const Run& run) {
    struct Object {
      std::string key;
      std::uint64_t size = 0;
    };
    std::map<std::int64_t, Object> indexes, events;
    std::map<std::int64_t, StepGroup> groups;  // by first step
    const std::string name = layout::worker_in_file_name(worker_);
    for (auto& object : run.list(layout::index_prefix)) {
      if (const auto step = layout::parse_index_key(object.key)) {
        if (object.key == layout::index_key(step->global_step, worker_))
          indexes[step->global_step] = {std::move(object.key), object.size};
      } else if (const auto segment = layout::parse_segment_key(object.key); segment && segment->worker == name) {
        groups[segment->first] = group_of_segment(run, object.key, object.size, *segment);
      }
    }
    for (auto& object : run.list(layout::events_prefix))
      if (const auto step = layout::parse_event_key(object.key);
          step && object.key == layout::event_key(step->global_step, worker_))
        events[step->global_step] = {std::move(object.key), object.size};
    // The name of an events file is that of its first step; the following steps without one may lie in it, too.
    for (auto& [step, object] : events) {
      StepGroup& group = groups[step];
      group.last = step;
      group.bytes += object.size;
      group.events.push_back(std::move(object.key));
    }
    for (auto& [step, object] : indexes) {
      const auto next = groups.upper_bound(step);
      const bool has_group = next != groups.begin() && !std::prev(next)->second.events.empty();
      StepGroup& group = has_group ? std::prev(next)->second : groups[step];
      group.last = step;
      ++group.steps;
      group.bytes += object.size;
      group.indexes.push_back(std::move(object.key));
    }
    for (auto& [first, group] : groups) add(std::move(group));
  }

  /// Adds a step that was saved. An empty `event_key`: it has no events.
  void add_step(std::int64_t step, const std::string& index_key, const std::string& event_key, std::uint64_t bytes) {
    if (!event_key.empty() && !groups_.empty() && groups_.back().events == std::vector{event_key}) {
      StepGroup& group = groups_.back();
      group.indexes.push_back(index_key);
      group.last = step;
      ++group.steps;
      group.bytes += bytes;
      bytes_ += bytes;
      ++steps_;
      return;
    }
    StepGroup group{.last = step, .steps = 1, .bytes = bytes, .indexes = {index_key}};
    if (!event_key.empty()) group.events.push_back(event_key);
    add(std::move(group));
  }

  void add(StepGroup group) {
    groups_.push_back(std::move(group));
    steps_ += groups_.back().steps;
    bytes_ += groups_.back().bytes;
  }

  /// Takes the oldest groups up to step `last`, as many as are needed to keep to the budget. Steps after `last` stay
  /// and do not count. The last group up to it stays, too.
  [[nodiscard]] std::vector<StepGroup> take_surplus(const Retention& budget, std::int64_t last) {
    std::int64_t steps = steps_;
    std::uint64_t bytes = bytes_;
    std::size_t candidates = groups_.size();
    for (; candidates > 0 && groups_[candidates - 1].last > last; --candidates) {
      steps -= groups_[candidates - 1].steps;
      bytes -= groups_[candidates - 1].bytes;
    }
    std::vector<StepGroup> out;
    for (; candidates > 1; --candidates) {
      const StepGroup& oldest = groups_.front();
      const bool many_steps = budget.steps && steps - oldest.steps >= *budget.steps;
      const bool many_bytes = budget.bytes && bytes > *budget.bytes;
      if (!many_steps && !many_bytes) break;
      steps -= oldest.steps;
      bytes -= oldest.bytes;
      steps_ -= oldest.steps;
      bytes_ -= oldest.bytes;
      out.push_back(std::move(groups_.front()));
      groups_.pop_front();
    }
    return out;
  }

  /// Puts back what could not be removed.
  void put_back(std::vector<StepGroup> groups) {
    for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
      groups_.push_front(std::move(*group));
      steps_ += groups_.front().steps;
      bytes_ += groups_.front().bytes;
    }
  }

  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }
  /// Returns the last global step; -1 if there is none.
  [[nodiscard]] std::int64_t last() const noexcept { return groups_.empty() ? -1 : groups_.back().last; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  template <class Run>
  static StepGroup group_of_segment(const Run& run, const std::string& key, std::uint64_t size,
                                    const layout::SegmentName& name) {
    StepGroup out{.last = name.last, .steps = 1, .bytes = size, .indexes = {key}};
    try {
      const auto manifest = read_segment_manifest(key, size, [&](std::uint64_t start, std::uint64_t length) {
        return run.get(key, {start, length});
      });
      if (manifest)
        out.steps = std::count_if(manifest->entries.begin(), manifest->entries.end(),
                                  [](const SegmentEntry& entry) { return entry.is_index; });
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
    }
    return out;
  }

  std::string worker_;
  std::deque<StepGroup> groups_;  // by step
  std::int64_t steps_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Removes the objects of `groups` from `run`, a Store: the indexes first, oldest first, so that readers see a suffix
/// of the steps, and no index without its events; if `durable`, not after a loss of power either. Throws: the store
/// failed.
template <class Run>
void remove_groups(Run& run, const std::vector<StepGroup>& groups, bool durable) {
  std::vector<std::string> indexes, events;
  for (const StepGroup& group : groups) {
    indexes.insert(indexes.end(), group.indexes.begin(), group.indexes.end());
    events.insert(events.end(), group.events.begin(), group.events.end());
  }
  run.remove_all(indexes);
  if (durable) run.sync(indexes);
  run.remove_all(events);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
