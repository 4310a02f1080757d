// Writes what a flight recorder holds as a small run below the run. Such a run is complete when its end marker is
// there.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/kept_steps.hpp>
#include <tensortap/capture/internal/step_files.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture_requests.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's.
class SnapshotWriter {
 public:
  SnapshotWriter(AttemptContext& context, std::shared_ptr<KeptSteps> kept)
      : context_(context), kept_(std::move(kept)) {}

  /// Writes the snapshots that were asked for: one for each step, with all findings in it. Never throws: a snapshot
  /// that cannot be written is counted, and a note says why.
  void write_requested() noexcept {
    try {
      std::map<std::int64_t, std::vector<SnapshotRequest>> by_step;
      for (SnapshotRequest& request : context_.options.requests.take_snapshots())
        by_step[request.step].push_back(std::move(request));
      for (const auto& [step, requests] : by_step) try_to_write(step, requests);
    } catch (...) {
      count(&RecorderStatus::snapshots_failed);
    }
  }

  /// Notes that no snapshot will be asked for because of `step`, except for those that were asked for.
  void pass(std::int64_t step) noexcept { kept_->pass(step); }

 private:
  using Steps = std::vector<std::shared_ptr<const StepRecords>>;

  /// How long a snapshot is tried: steps wait for the writer meanwhile.
  static constexpr std::chrono::seconds patience{2};

  void try_to_write(std::int64_t step, std::span<const SnapshotRequest> requests) {
    const std::string& worker = context_.options.worker;
    const std::string name = layout::snapshot_name(step, requests.front().reason, worker);
    const Steps steps = kept_->up_to(step);
    if (steps.empty() || context_.options.recorder.max_snapshots == 0) return count(&RecorderStatus::snapshots_dropped);
    try {
      std::chrono::nanoseconds budget =
          std::min<std::chrono::nanoseconds>(patience, context_.options.retry.for_at_most);
      context_.retries.run(budget, [&] { list_snapshots(); });
      if (whole_.contains(name)) return count(&RecorderStatus::snapshots_written);
      if (static_cast<std::int64_t>(whole_.size() + failed_.size()) >= context_.options.recorder.max_snapshots)
        return count(&RecorderStatus::snapshots_dropped);
      failed_.insert(name);
      context_.retries.run(budget, [&] {
        context_.fence.require_no_successor();
        write(std::string(layout::snapshots_prefix) + name + "/", steps, requests);
      });
      failed_.erase(name);
      whole_.insert(name);
      count(&RecorderStatus::snapshots_written);
    } catch (const std::exception& e) {
      count(&RecorderStatus::snapshots_failed);
      note("snapshot " + name + ": it could not be written: " + e.what());
    }
  }

  /// Finds the snapshots of earlier attempts, once.
  void list_snapshots() {
    if (is_listed_) return;
    const std::string end =
        "_" + layout::worker_in_file_name(context_.options.worker) + "/" + std::string(layout::end_marker);
    for (const ObjectInfo& object : context_.store->list(layout::snapshots_prefix)) {
      const std::string_view path = std::string_view(object.key).substr(layout::snapshots_prefix.size());
      if (path.ends_with(end)) whole_.emplace(path.substr(0, path.find('/')));
    }
    is_listed_ = true;
  }

  /// Writes the run of a snapshot; its end marker comes last.
  void write(const std::string& folder, const Steps& steps, std::span<const SnapshotRequest> requests) {
    Store& store = *context_.store;
    const HookOptions& options = context_.options;
    std::vector<std::string> keys;
    for (const ObjectInfo& object : store.list(folder)) keys.push_back(object.key);
    store.remove_all(keys);  // of an attempt that has ended meanwhile
    keys.clear();

    const bool has_attempt = options.index_extras;
    const Attempt attempt{.number = context_.attempt.number, .worker = options.worker, .ended = true};
    const auto put = [&](const std::string& key, const std::string& text) {
      keys.push_back(folder + key);
      store.put(keys.back(), text);
    };
    put(std::string(findings_key), findings(requests));
    put(layout::collections_key(options.worker), collections(steps));
    if (has_attempt) put(layout::attempt_key(attempt.number, attempt.worker), to_json(attempt));

    StepFiles files(options.worker, has_attempt ? std::optional(attempt.number) : std::nullopt,
                    options.strip_output_numbers, 1);
    std::vector<const StepRecords*> records;
    records.reserve(steps.size());
    for (const auto& step : steps) records.push_back(step.get());
    files.encode(records);
    parallel_for(steps.size(), store.concurrency(), [&](std::size_t i) {
      const StepFiles::Events& events = files.events()[i];
      if (!events.key.empty()) store.put(folder + events.key, events.pieces, Sync::no, IfExists::replace);
    });
    parallel_for(steps.size(), store.concurrency(),
                 [&](std::size_t i) { store.put(folder + files.step(i).index_key(), files.step(i).index()); });
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!files.events()[i].key.empty()) keys.push_back(folder + files.events()[i].key);
      keys.push_back(folder + files.step(i).index_key());
    }
    if (context_.commit_sync == Sync::yes) store.sync(keys);
    store.put(folder + std::string(layout::end_marker), has_attempt ? to_json(attempt) : std::string(),
              context_.commit_sync);
  }

  static std::string findings(std::span<const SnapshotRequest> requests) {
    std::string out;
    for (const SnapshotRequest& request : requests)
      if (!request.finding.empty()) out.append(request.finding).append("\n");
    return out;
  }

  /// Returns the text of the collections file: what the recorder keeps, at each step.
  [[nodiscard]] std::string collections(const Steps& steps) const {
    const HookOptions& options = context_.options;
    std::vector<std::set<std::string>> names(options.collections.size());
    for (const auto& step : steps)
      for (const CapturedRecord& record : step->records())
        for (const std::size_t i : record.tensor->collections) names[i].insert(record.tensor->name);
    CollectionsFile file;
    for (std::size_t i = 0; i < names.size(); ++i) {
      Collection collection = options.collections[i];
      const auto& kept = options.recorder.collections;
      if (!kept.empty() && std::find(kept.begin(), kept.end(), collection.name) == kept.end()) continue;
      collection.save = every(1);
      collection.tensor_names.assign(names[i].begin(), names[i].end());
      file.collections.push_back(std::move(collection));
    }
    return to_json(file);
  }

  void count(std::uint64_t RecorderStatus::*field) noexcept {
    kept_->change([&](RecorderStatus& status) { ++(status.*field); });
  }

  void note(std::string text) {
    constexpr std::size_t limit = 100;
    context_.ledger->change([&](HookStatus& status) {
      if (status.notes.size() < limit) status.notes.push_back(std::move(text));
    });
  }

  static constexpr std::string_view findings_key = "findings.jsonl";

  AttemptContext& context_;
  std::shared_ptr<KeptSteps> kept_;
  std::set<std::string, std::less<>> whole_;  // the snapshots of this worker that are complete
  std::set<std::string> failed_;              // those that this attempt could not write
  bool is_listed_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
