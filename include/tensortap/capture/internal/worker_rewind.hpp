// The rewind of a worker: sets aside what it saved after the last commit, so that every step is there exactly once.
// README.md gives the reasons for the order of operations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/segment_rewind.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class WorkerRewind {
 public:
  /// Sets aside the steps of `worker` after `resumed_at`. Adds the keys that it changes to `touched`.
  WorkerRewind(Store& store, const HookOptions& options, std::string worker, std::int64_t resumed_at,
               std::vector<std::string>& touched)
      : store_(store),
        options_(options),
        worker_(std::move(worker)),
        resumed_at_(resumed_at),
        touched_(touched),
        segments_(store, options, resumed_at, touched) {
    const std::string name = layout::worker_in_file_name(worker_);
    indexes_ =
        step_keys(layout::index_prefix, layout::index_key, layout::parse_index_key, [&](const ObjectInfo& object) {
          if (const auto segment = layout::parse_segment_key(object.key); segment && segment->worker == name)
            segments_.add(object, *segment);
        });
    all_.insert(indexes_.begin(), indexes_.end());
    all_.insert(segments_.steps().begin(), segments_.steps().end());
  }

  /// The number of steps after the commit.
  [[nodiscard]] std::size_t steps() const noexcept { return all_.size(); }

  /// The key of the index of the first of them, or of its segment.
  [[nodiscard]] const std::string& first() const { return all_.begin()->second; }

  /// Sets aside all steps after the commit: indexes first and from the end, so that readers always see a prefix.
  /// They belong to `attempt`, the one that continues.
  void run(std::int64_t attempt) {
    attempt_ = attempt;
    const StepKeys events =
        step_keys(layout::events_prefix, layout::event_key, layout::parse_event_key, [](const ObjectInfo&) {});
    segments_.run(attempt);
    for (auto at = indexes_.rbegin(); at != indexes_.rend(); ++at) set_aside(at->second, attempt_);
    bool gathered = options_.events_per_file == 1 || options_.on_resume != OnResume::archive;
    for (auto at = events.rbegin(); at != events.rend(); ++at) {
      if (indexes_.contains(at->first) && !std::exchange(gathered, true)) gather_indexes(at->first, at->second);
      set_aside(at->second, owner_of_events(at->first));
    }
  }

 private:
  using StepKeys = std::map<std::int64_t, std::string>;
  static constexpr std::int64_t recent = 100;  // attempts that are searched for an interrupted rewind

  /// Returns the keys of the steps after the last commit. Calls `other` with the other objects below `prefix`, from
  /// there on.
  template <class MakeKey, class ParseKey, class Other>
  [[nodiscard]] StepKeys step_keys(std::string_view prefix, const MakeKey& make, const ParseKey& parse,
                                   const Other& other) const {
    constexpr std::int64_t longer_numbers = 1'000'000'000'000;  // their keys are not sorted by number
    const bool ordered = resumed_at_ >= 0 && resumed_at_ < longer_numbers;
    StepKeys out;
    for (ObjectInfo& object : store_.list(prefix, ordered ? make(resumed_at_, "") : std::string())) {
      const auto name = parse(object.key);
      if (!name) other(object);
      if (name && name->global_step > resumed_at_ && object.key == make(name->global_step, worker_))
        out.emplace(name->global_step, std::move(object.key));
    }
    return out;
  }

  /// Moves the other indexes of the events file `file` to the folder of this attempt; `step` is its first step whose
  /// index is still in place. An earlier attempt that was killed in its rewind may have moved them to its folder.
  void gather_indexes(std::int64_t step, const std::string& file) {
    for (std::int64_t run = attempt_ - 1; run >= std::max<std::int64_t>(attempt_ - recent, 0); --run) {
      if (store_.size(layout::superseded_key(run, file))) return;  // an earlier file of that name owns these indexes
      const std::string folder = layout::superseded_key(run, "");
      for (const ObjectInfo& object :
           store_.list(folder + std::string(layout::index_prefix), folder + layout::index_key(step, worker_))) {
        const std::string key = object.key.substr(folder.size());
        const auto name = layout::parse_index_key(key);
        if (!name || indexes_.contains(name->global_step) || !leads_to(object.key, file)) continue;
        touched_.push_back(object.key);
        touched_.push_back(layout::superseded_key(attempt_, key));
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
  [[nodiscard]] std::optional<std::int64_t> owner_of_events(std::int64_t step) const {
    if (indexes_.contains(step)) return attempt_;
    for (std::int64_t run = attempt_ - 1; run >= std::max<std::int64_t>(attempt_ - recent, 0); --run)
      if (store_.size(layout::superseded_key(run, layout::index_key(step, worker_)))) return run;
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

  Store& store_;
  const HookOptions& options_;
  std::string worker_;
  std::int64_t resumed_at_;
  std::vector<std::string>& touched_;
  SegmentRewind segments_;
  StepKeys indexes_;
  StepKeys all_;  // also the steps in segments
  std::int64_t attempt_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
