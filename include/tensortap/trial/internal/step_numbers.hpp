// The mapping between global steps and mode steps. Several global steps may have the same mode step. As in smdebug,
// they are then all read under the number of the first, and a value of a later one hides values of the earlier ones.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The steps of a run by their numbers. Steps may be added in any order.
class StepNumbers {
 public:
  /// Adds `step`, whose global step is new.
  void add(const Step& step) {
    by_global_step_.emplace(step.global_step, step);
    if (step.mode == Mode::global) return;
    const auto [found, is_new] = first(step.mode).try_emplace(step.mode_step, step.global_step);
    if (is_new) return;
    Group group = take_group(found->second);
    group.insert(step.global_step);
    found->second = *group.begin();
    put_group(std::move(group));
  }

  /// Removes the step with this global step, which exists.
  void remove(std::int64_t global_step) {
    const auto node = by_global_step_.extract(global_step);
    const Step& step = node.mapped();
    if (step.mode == Mode::global) return;
    const auto found = first(step.mode).find(step.mode_step);
    Group group = take_group(found->second);
    group.erase(global_step);
    if (group.empty()) {
      first(step.mode).erase(found);
    } else {
      found->second = *group.begin();
      put_group(std::move(group));
    }
  }

  /// Returns all steps by global step.
  [[nodiscard]] const std::map<std::int64_t, Step>& all() const noexcept { return by_global_step_; }
  /// Returns the steps of `mode`, which is not Mode::global: the first global step by mode step.
  [[nodiscard]] const std::map<std::int64_t, std::int64_t>& of(Mode mode) const noexcept {
    return first_[index_of(mode)];
  }

  [[nodiscard]] const Step* find(std::int64_t global_step) const {
    const auto found = by_global_step_.find(global_step);
    return found == by_global_step_.end() ? nullptr : &found->second;
  }

  /// Returns the first global step of step `step` of `mode`.
  [[nodiscard]] std::optional<std::int64_t> global_step(Mode mode, std::int64_t step) const {
    if (mode == Mode::global) return find(step) != nullptr ? std::optional(step) : std::nullopt;
    const auto found = of(mode).find(step);
    if (found == of(mode).end()) return std::nullopt;
    return found->second;
  }

  /// Returns the first global step of the step that follows step `step` of `mode`.
  [[nodiscard]] std::optional<std::int64_t> next(Mode mode, std::int64_t step) const {
    if (mode == Mode::global) {
      const auto found = by_global_step_.upper_bound(step);
      return found == by_global_step_.end() ? std::nullopt : std::optional(found->first);
    }
    const auto found = of(mode).upper_bound(step);
    return found == of(mode).end() ? std::nullopt : std::optional(found->second);
  }

  /// Returns the first of the global steps that have the mode step of `global_step`.
  [[nodiscard]] std::int64_t first_of(std::int64_t global_step) const {
    const auto found = first_of_later_.find(global_step);
    return found == first_of_later_.end() ? global_step : found->second;
  }

  /// Returns the global steps that share a mode step with others, by the first of them.
  [[nodiscard]] const std::map<std::int64_t, std::set<std::int64_t>>& groups() const noexcept { return groups_; }

  /// Returns the global steps that have the mode step of `first`, the first of them; ascending.
  [[nodiscard]] std::vector<std::int64_t> group_of(std::int64_t first) const {
    const auto found = groups_.find(first);
    if (found == groups_.end()) return {first};
    return {found->second.begin(), found->second.end()};
  }

 private:
  /// Global steps with the same mode step.
  using Group = std::set<std::int64_t>;

  std::map<std::int64_t, std::int64_t>& first(Mode mode) { return first_[index_of(mode)]; }

  Group take_group(std::int64_t first) {
    auto node = groups_.extract(first);
    if (node.empty()) return {first};
    for (const std::int64_t global_step : node.mapped()) first_of_later_.erase(global_step);
    return std::move(node.mapped());
  }
  void put_group(Group group) {
    if (group.size() == 1) return;
    const std::int64_t first = *group.begin();
    for (auto later = std::next(group.begin()); later != group.end(); ++later) first_of_later_[*later] = first;
    groups_[first] = std::move(group);
  }

  std::map<std::int64_t, Step> by_global_step_;
  std::array<std::map<std::int64_t, std::int64_t>, 4> first_;  // by mode, by mode step
  // Only groups of two and more:
  std::map<std::int64_t, Group> groups_;                 // by their first
  std::map<std::int64_t, std::int64_t> first_of_later_;  // by each other member
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
