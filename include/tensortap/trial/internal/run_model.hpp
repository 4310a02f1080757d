// A run in memory, as its index files describe it: its steps, its tensors, and where each record lies. A reader adds
// what it reads and removes what a new attempt supersedes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/attempts.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/internal/membership.hpp>
#include <tensortap/trial/internal/step_numbers.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The model of a run. Threads: not thread-safe; the owner locks.
class RunModel {
 public:
  using ByWorker = std::map<std::string, WorkerStepPtr, std::less<>>;

  bool ended = false;
  std::optional<std::int64_t> num_workers;  // as the collections files say
  std::set<std::string> workers;            // that have written an object
  std::shared_ptr<const Membership> membership = std::make_shared<Membership>();
  Attempts attempts;
  std::map<std::string, std::pair<std::uint64_t, Attempt>> attempt_objects;  // by key, with their sizes

  /// Returns whether the run has any object.
  [[nodiscard]] bool exists() const noexcept { return ended || !workers.empty() || !attempt_objects.empty(); }

  [[nodiscard]] const StepNumbers& numbers() const noexcept { return numbers_; }
  [[nodiscard]] const StoredTensors& tensors() const noexcept { return tensors_; }

  /// Returns the tensor called `name`; null if no step has it.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() || found->second.steps.empty() ? nullptr : &found->second;
  }

  /// Returns what the workers have saved in this global step; null if there is no such step.
  [[nodiscard]] const ByWorker* worker_steps(std::int64_t global_step) const {
    const auto found = steps_.find(global_step);
    return found == steps_.end() ? nullptr : &found->second;
  }

  /// Returns the worker steps that hold `tensor` in step `step` of `mode`, sorted by worker. If several global steps
  /// have this number, the last one comes first.
  [[nodiscard]] std::vector<WorkerStepPtr> worker_steps_with(const StoredTensor* tensor, Mode mode,
                                                             std::int64_t step) const {
    std::vector<WorkerStepPtr> out;
    const auto first = numbers_.global_step(mode, step);
    if (!first || numbers_.first_of(*first) != *first) return out;
    const auto group = numbers_.group_of(*first);
    for (auto global_step = group.rbegin(); global_step != group.rend(); ++global_step)
      for (const auto& [worker, worker_step] : steps_.at(*global_step))
        if (worker_step->has(tensor)) out.push_back(worker_step);
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a->worker < b->worker; });
    return out;
  }

  /// Returns the last global step that all workers have written or will not write any more.
  [[nodiscard]] std::int64_t last_complete() const noexcept { return last_complete_; }
  [[nodiscard]] bool is_complete(std::int64_t global_step) const { return ended || global_step <= last_complete_; }
  [[nodiscard]] bool has_incomplete() const { return !steps_.empty() && steps_.rbegin()->first > last_complete_; }

  /// Returns whether no more steps of `range` can appear.
  [[nodiscard]] bool is_finished(const StepRange& range) const {
    return ended || (range.end && last_complete_ >= *range.end - 1);
  }

  /// Returns whether step `step` of `mode` exists or can still appear.
  [[nodiscard]] StepState state_of(std::int64_t step, Mode mode, const StepRange& range) const {
    const auto state = [](bool known, StepState if_known) { return known ? if_known : StepState::not_yet_available; };
    if (const auto exact = numbers_.global_step(mode, step)) return state(is_complete(*exact), StepState::available);
    if (mode == Mode::global && (step <= last_complete_ || !range.contains(step))) return StepState::unavailable;
    const auto later = numbers_.next(mode, step);
    return state(is_finished(range) || (later && is_complete(*later)), StepState::unavailable);
  }

  /// Returns whether any step, of `mode` if one is given, has `tensor`.
  [[nodiscard]] bool has_steps(const StoredTensor& tensor, std::optional<Mode> mode) const {
    return std::any_of(tensor.steps.begin(), tensor.steps.end(), [&](std::int64_t step) {
      return !mode || *mode == Mode::global || numbers_.find(step)->mode == *mode;
    });
  }

  /// Returns the last global step that `worker` has written; -1 if there is none.
  [[nodiscard]] std::int64_t last_of(std::string_view worker) const {
    const auto found = last_.find(worker);
    return found == last_.end() ? -1 : found->second;
  }

  /// Returns the contents of `index`, ready for `add`. Enters new names into the tables, so it modifies the model.
  [[nodiscard]] WorkerStepPtr make_worker_step(const IndexFile& index, const layout::StepName& name, std::string key,
                                               std::uint64_t index_size) {
    auto out = std::make_shared<WorkerStep>();
    out->worker = name.worker;
    out->step = {index.mode, index.mode_step, name.global_step};
    out->attempt = index.attempt;
    out->key = std::move(key);
    out->index_size = index_size;
    out->event_file = index.event_file;
    out->records.reserve(index.tensors.size());
    for (const TensorLocation& location : index.tensors)
      out->records.push_back({find_or_add_record(location.name), location.start, location.length, location.crc32c});
    for (const SavedShape& shape : index.shapes) out->shapes.push_back({find_or_add_tensor(shape.name), shape.shape});
    out->sort();
    return out;
  }

  /// Adds `added`, unless its worker already has that step.
  void add(const WorkerStepPtr& added) {
    const std::int64_t global_step = added->step.global_step;
    if (!steps_[global_step].emplace(added->worker, added).second) return;
    auto& last = last_.try_emplace(added->worker, global_step).first->second;
    last = std::max(last, global_step);
    renumber(global_step);
    for (const StoredRecord& record : added->records) record.tensor()->bytes += record.length;
    added->for_each_tensor([&](StoredTensor* tensor) {
      auto& steps = tensor->steps;
      const auto at = std::lower_bound(steps.begin(), steps.end(), global_step);
      if (at == steps.end() || *at != global_step) steps.insert(at, global_step);
    });
  }

  /// Returns the steps of older attempts that `attempt` supersedes: those of its worker beyond `resumed_at`.
  [[nodiscard]] std::vector<WorkerStepPtr> superseded_by(const Attempt& attempt) const {
    auto out = beyond(attempt);
    std::erase_if(out, [&](const auto& step) { return !step->attempt || *step->attempt >= attempt.number; });
    return out;
  }

  /// Returns the steps beyond the start of `attempt` that name no attempt: they count until it has moved them.
  [[nodiscard]] std::vector<WorkerStepPtr> unnumbered_beyond(const Attempt& attempt) const {
    auto out = beyond(attempt);
    std::erase_if(out, [](const auto& step) { return step->attempt.has_value(); });
    return out;
  }

  /// Removes `global_steps` of `worker`, whose new attempt resumes after step `resumed_at`.
  void remove(const std::string& worker, const std::vector<std::int64_t>& global_steps, std::int64_t resumed_at) {
    for (const std::int64_t global_step : global_steps) remove(worker, global_step);
    last_complete_ = std::min(last_complete_, resumed_at);
    last_.erase(worker);
    const auto last =
        std::find_if(steps_.rbegin(), steps_.rend(), [&](const auto& step) { return step.second.contains(worker); });
    if (last != steps_.rend()) last_[worker] = last->first;
  }

  /// Updates the last complete step, given that a complete step has `needed` workers. As in smdebug, all steps before a
  /// complete one are complete, and if more than 1000 steps wait for workers that do not write, the older half counts
  /// as complete.
  void update_last_complete(std::int64_t needed) {
    constexpr std::ptrdiff_t window = 1000;
    const auto complete = std::find_if(steps_.rbegin(), steps_.rend(), [&](const auto& step) {
      return step.first <= last_complete_ || static_cast<std::int64_t>(step.second.size()) >= needed;
    });
    if (complete != steps_.rend()) last_complete_ = std::max(last_complete_, complete->first);
    for (;;) {
      const auto incomplete = steps_.upper_bound(last_complete_);
      if (std::distance(incomplete, steps_.end()) <= window) return;
      last_complete_ = std::next(incomplete, window / 2 - 1)->first;
    }
  }

  /// Marks all steps before `global_step` as complete.
  void complete_before(std::int64_t global_step) { last_complete_ = std::max(last_complete_, global_step - 1); }

 private:
  StoredTensor* find_or_add_tensor(const std::string& name) {
    const auto found = tensors_.try_emplace(name).first;
    found->second.name = &found->first;
    return &found->second;
  }

  const RecordNames::value_type* find_or_add_record(const std::string& stored) {
    const auto [found, is_new] = names_.try_emplace(stored);
    if (is_new) {
      const auto reduction = layout::parse_reduction_record(stored);
      found->second.tensor = find_or_add_tensor(reduction ? std::string(reduction->tensor) : stored);
      if (reduction) found->second.reduction.emplace(reduction->reduction);
    }
    return &*found;
  }

  /// Returns the steps of the worker of `attempt` beyond its start.
  [[nodiscard]] std::vector<WorkerStepPtr> beyond(const Attempt& attempt) const {
    std::vector<WorkerStepPtr> out;
    for (auto step = steps_.upper_bound(attempt.resumed_at); step != steps_.end(); ++step)
      if (const auto found = step->second.find(attempt.worker); found != step->second.end())
        out.push_back(found->second);
    return out;
  }

  void remove(const std::string& worker, std::int64_t global_step) {
    const auto step = steps_.find(global_step);
    const WorkerStepPtr removed = step->second.extract(worker).mapped();
    for (const StoredRecord& record : removed->records) record.tensor()->bytes -= record.length;
    removed->for_each_tensor([&](StoredTensor* tensor) {
      for (const auto& [other, worker_step] : step->second)
        if (worker_step->has(tensor)) return;
      tensor->steps.erase(std::lower_bound(tensor->steps.begin(), tensor->steps.end(), global_step));
    });
    if (step->second.empty()) steps_.erase(step);
    renumber(global_step);
  }

  /// Takes mode and mode step of a global step from its alphabetically first worker.
  void renumber(std::int64_t global_step) {
    const ByWorker* by_worker = worker_steps(global_step);
    const Step* known = numbers_.find(global_step);
    if (known != nullptr && by_worker != nullptr && *known == by_worker->begin()->second->step) return;
    if (known != nullptr) numbers_.remove(global_step);
    if (by_worker != nullptr) numbers_.add(by_worker->begin()->second->step);
  }

  RecordNames names_;
  StoredTensors tensors_;
  std::map<std::int64_t, ByWorker> steps_;                 // by global step
  std::map<std::string, std::int64_t, std::less<>> last_;  // global step, by worker
  StepNumbers numbers_;
  std::int64_t last_complete_ = -1;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
