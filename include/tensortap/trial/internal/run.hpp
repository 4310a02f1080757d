// A run as its index files tell it, in memory: which steps there are, which tensors, and where each record lies. What
// is read is added, what a new attempt sets aside is taken out again.
//
// Not for users: Trial, TensorHistory and StoredStep are the ways in.
#pragma once

#include <algorithm>
#include <cstdint>
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
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/internal/part.hpp>
#include <tensortap/trial/internal/step_numbers.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: whoever holds it sees to it.
class Run {
 public:
  using Parts = std::map<std::string, std::shared_ptr<const Part>, std::less<>>;  // by worker

  /// One worker's part of what is asked for.
  struct Answer {
    std::string worker;
    std::shared_ptr<const Part> part;
  };

  bool ended = false;
  std::optional<std::int64_t> num_workers;  // as the collections say it
  std::set<std::string> workers;            // that have written anything
  std::shared_ptr<const Membership> membership = std::make_shared<Membership>();
  Attempts attempts;
  std::map<std::string, std::pair<std::uint64_t, Attempt>> attempt_objects;  // by key, with their sizes

  /// Whether there is anything at all.
  [[nodiscard]] bool exists() const noexcept { return ended || !workers.empty() || !attempt_objects.empty(); }

  [[nodiscard]] const StepNumbers& numbers() const noexcept { return numbers_; }
  [[nodiscard]] const Tensors& tensors() const noexcept { return tensors_; }

  /// The entry of `name`; null if nothing of it is there.
  [[nodiscard]] const TensorEntry* find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() || found->second.steps.empty() ? nullptr : &*found;
  }

  /// What the workers saved in this global step; null if nobody saved anything.
  [[nodiscard]] const Parts* parts(std::int64_t global_step) const {
    const auto found = parts_.find(global_step);
    return found == parts_.end() ? nullptr : &found->second;
  }

  /// Where `tensor` may be found in step `step` of `mode`: by worker, and where several global steps claim it, the last
  /// first.
  [[nodiscard]] std::vector<Answer> answers(const TensorEntry* tensor, Mode mode, std::int64_t step) const {
    std::vector<Answer> out;
    const auto first = numbers_.global_step(mode, step);
    if (!first || numbers_.first_of(*first) != *first) return out;
    const auto claims = numbers_.claims_of(*first);
    for (auto claim = claims.rbegin(); claim != claims.rend(); ++claim)
      for (const auto& [worker, part] : parts_.at(*claim))
        if (part->has(tensor)) out.push_back({worker, part});
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.worker < b.worker; });
    return out;
  }

  /// The last global step that all workers have written, or will not any more.
  [[nodiscard]] std::int64_t last_complete() const noexcept { return last_complete_; }
  [[nodiscard]] bool is_complete(std::int64_t global_step) const { return ended || global_step <= last_complete_; }
  [[nodiscard]] bool has_incomplete() const { return !parts_.empty() && parts_.rbegin()->first > last_complete_; }

  /// Whether no more steps of `range` are to come.
  [[nodiscard]] bool is_finished(const StepRange& range) const {
    return ended || (range.end && last_complete_ >= *range.end - 1);
  }

  /// Whether step `step` of `mode` is there, or may come.
  [[nodiscard]] StepState state_of(std::int64_t step, Mode mode, const StepRange& range) const {
    const auto state = [](bool known, StepState if_known) { return known ? if_known : StepState::not_yet_available; };
    if (const auto exact = numbers_.global_step(mode, step)) return state(is_complete(*exact), StepState::available);
    if (mode == Mode::global && (step <= last_complete_ || !range.contains(step))) return StepState::unavailable;
    const auto later = numbers_.next(mode, step);
    return state(is_finished(range) || (later && is_complete(*later)), StepState::unavailable);
  }

  /// Whether anything of `tensor` was saved, in `mode` if one is given.
  [[nodiscard]] bool has_steps(const TensorEntry& tensor, std::optional<Mode> mode) const {
    const auto& steps = tensor.second.steps;
    return std::any_of(steps.begin(), steps.end(), [&](std::int64_t step) {
      return !mode || *mode == Mode::global || numbers_.find(step)->mode == *mode;
    });
  }

  /// The last global step that `worker` has written; -1 if there is none.
  [[nodiscard]] std::int64_t last_of(std::string_view worker) const {
    const auto found = last_.find(worker);
    return found == last_.end() ? -1 : found->second;
  }

  /// What `index` says, ready to be added. New names are entered: so this is a change, too.
  [[nodiscard]] std::shared_ptr<const Part> part_of(const IndexFile& index, std::int64_t global_step, std::string key,
                                                    std::uint64_t index_size) {
    auto part = std::make_shared<Part>();
    part->step = {index.mode, index.mode_step, global_step};
    part->run = index.attempt;
    part->key = std::move(key);
    part->index_size = index_size;
    part->event_file = index.event_file;
    part->records.reserve(index.tensors.size());
    for (const TensorLocation& location : index.tensors)
      part->records.push_back({name_of(location.name), location.start, location.length, location.crc32c});
    for (const SavedShape& shape : index.shapes)
      part->shapes.push_back({&*tensors_.try_emplace(shape.name).first, shape.shape});
    part->sort();
    return part;
  }

  /// Adds `part` of `worker`, unless he has one in that step already.
  void add(const std::string& worker, const std::shared_ptr<const Part>& part) {
    const std::int64_t global_step = part->step.global_step;
    if (!parts_[global_step].emplace(worker, part).second) return;
    auto& last = last_.try_emplace(worker, global_step).first->second;
    last = std::max(last, global_step);
    renumber(global_step);
    part->for_each_tensor([&](TensorEntry* tensor) {
      auto& steps = tensor->second.steps;
      const auto at = std::lower_bound(steps.begin(), steps.end(), global_step);
      if (at == steps.end() || *at != global_step) steps.insert(at, global_step);
    });
  }

  /// The parts that attempt `attempt` has set aside: its worker's beyond the step after which it goes on, of older
  /// attempts; or those that name no attempt, and are there until they are moved.
  [[nodiscard]] std::vector<Answer> set_aside(const Attempt& attempt, bool with_attempt) const {
    std::vector<Answer> out;
    for (auto step = parts_.upper_bound(attempt.resumed_at); step != parts_.end(); ++step) {
      const auto found = step->second.find(attempt.worker);
      if (found == step->second.end() || found->second->run.has_value() != with_attempt) continue;
      if (!with_attempt || *found->second->run < attempt.number) out.push_back({attempt.worker, found->second});
    }
    return out;
  }

  /// Takes out `worker`'s parts of `global_steps`: he goes on after step `resumed_at`.
  void remove(const std::string& worker, const std::vector<std::int64_t>& global_steps, std::int64_t resumed_at) {
    for (const std::int64_t global_step : global_steps) remove(worker, global_step);
    last_complete_ = std::min(last_complete_, resumed_at);
    last_.erase(worker);
    const auto last =
        std::find_if(parts_.rbegin(), parts_.rend(), [&](const auto& step) { return step.second.contains(worker); });
    if (last != parts_.rend()) last_[worker] = last->first;
  }

  /// Finds the last complete step. As in smdebug, earlier holes do not matter; and where more than 1000 steps wait for
  /// workers that do not write, the older half of them is given up.
  /// `needed` is how many workers are to write a step.
  void update_last_complete(std::int64_t needed) {
    constexpr std::ptrdiff_t window = 1000;
    const auto complete = std::find_if(parts_.rbegin(), parts_.rend(), [&](const auto& step) {
      return step.first <= last_complete_ || static_cast<std::int64_t>(step.second.size()) >= needed;
    });
    if (complete != parts_.rend()) last_complete_ = std::max(last_complete_, complete->first);
    for (;;) {
      const auto incomplete = parts_.upper_bound(last_complete_);
      if (std::distance(incomplete, parts_.end()) <= window) return;
      last_complete_ = std::next(incomplete, window / 2 - 1)->first;
    }
  }

  /// No step before `global_step` will come any more.
  void all_complete_before(std::int64_t global_step) { last_complete_ = std::max(last_complete_, global_step - 1); }

 private:
  using Steps = std::map<std::int64_t, Parts>;

  const RecordNames::value_type* name_of(const std::string& stored) {
    const auto [found, is_new] = names_.try_emplace(stored);
    if (is_new) {
      const auto reduction = layout::parse_reduction_record(stored);
      found->second.tensor = &*tensors_.try_emplace(reduction ? std::string(reduction->tensor) : stored).first;
      if (reduction) found->second.reduction.emplace(reduction->reduction);
    }
    return &*found;
  }

  void remove(const std::string& worker, std::int64_t global_step) {
    const auto step = parts_.find(global_step);
    const auto part = step->second.extract(worker).mapped();
    part->for_each_tensor([&](TensorEntry* tensor) {
      for (const auto& [other, its] : step->second)
        if (its->has(tensor)) return;
      auto& steps = tensor->second.steps;
      steps.erase(std::lower_bound(steps.begin(), steps.end(), global_step));
    });
    if (step->second.empty()) parts_.erase(step);
    renumber(global_step);
  }

  /// A step is what the first of its workers says it is.
  void renumber(std::int64_t global_step) {
    const Parts* workers_parts = parts(global_step);
    const Step* known = numbers_.find(global_step);
    if (known != nullptr && workers_parts != nullptr && *known == workers_parts->begin()->second->step) return;
    if (known != nullptr) numbers_.remove(global_step);
    if (workers_parts != nullptr) numbers_.add(workers_parts->begin()->second->step);
  }

  RecordNames names_;
  Tensors tensors_;
  Steps parts_;
  std::map<std::string, std::int64_t, std::less<>> last_;  // global step, by worker
  StepNumbers numbers_;
  std::int64_t last_complete_ = -1;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
