// Which global step is which step of its mode. Two global steps may claim one mode step; as smdebug has it, the first
// of them gives the number, and the values of the later override its own.
//
// Not for users: Trial answers with it.
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

/// The steps of a run by their numbers. The order in which they are added does not matter.
class StepNumbers {
 public:
  /// Adds `step`, whose global step is not there yet.
  void add(const Step& step) {
    by_global_step_.emplace(step.global_step, step);
    if (step.mode == Mode::global) return;
    const auto [found, is_new] = first(step.mode).try_emplace(step.mode_step, step.global_step);
    if (is_new) return;
    std::set<std::int64_t> claims = take_claims(found->second);
    claims.insert(step.global_step);
    found->second = *claims.begin();
    put_claims(std::move(claims));
  }

  /// Removes the step with this global step, which is there.
  void remove(std::int64_t global_step) {
    const auto node = by_global_step_.extract(global_step);
    const Step& step = node.mapped();
    if (step.mode == Mode::global) return;
    const auto found = first(step.mode).find(step.mode_step);
    std::set<std::int64_t> claims = take_claims(found->second);
    claims.erase(global_step);
    if (claims.empty()) {
      first(step.mode).erase(found);
    } else {
      found->second = *claims.begin();
      put_claims(std::move(claims));
    }
  }

  /// All steps by global step.
  [[nodiscard]] const std::map<std::int64_t, Step>& all() const noexcept { return by_global_step_; }
  /// The first global steps of the steps of `mode`, which is not GLOBAL, by mode step.
  [[nodiscard]] const std::map<std::int64_t, std::int64_t>& of(Mode mode) const noexcept {
    return first_[index_of(mode)];
  }

  [[nodiscard]] const Step* find(std::int64_t global_step) const {
    const auto found = by_global_step_.find(global_step);
    return found == by_global_step_.end() ? nullptr : &found->second;
  }

  /// The global step that gives step `step` of `mode` its number.
  [[nodiscard]] std::optional<std::int64_t> global_step(Mode mode, std::int64_t step) const {
    if (mode == Mode::global) return find(step) != nullptr ? std::optional(step) : std::nullopt;
    const auto found = of(mode).find(step);
    if (found == of(mode).end()) return std::nullopt;
    return found->second;
  }

  /// The global step of the first step of `mode` after its step `step`.
  [[nodiscard]] std::optional<std::int64_t> next(Mode mode, std::int64_t step) const {
    if (mode == Mode::global) {
      const auto found = by_global_step_.upper_bound(step);
      return found == by_global_step_.end() ? std::nullopt : std::optional(found->first);
    }
    const auto found = of(mode).upper_bound(step);
    return found == of(mode).end() ? std::nullopt : std::optional(found->second);
  }

  /// The global step under whose number `global_step` is read: itself, unless an earlier one claims its mode step.
  [[nodiscard]] std::int64_t first_of(std::int64_t global_step) const {
    const auto found = aliases_.find(global_step);
    return found == aliases_.end() ? global_step : found->second;
  }

  /// The global steps that are read under the number of `first`, ascending; itself is among them.
  [[nodiscard]] std::vector<std::int64_t> claims_of(std::int64_t first) const {
    const auto found = claims_.find(first);
    if (found == claims_.end()) return {first};
    return {found->second.begin(), found->second.end()};
  }

 private:
  using Claims = std::set<std::int64_t>;

  std::map<std::int64_t, std::int64_t>& first(Mode mode) { return first_[index_of(mode)]; }

  Claims take_claims(std::int64_t first) {
    auto node = claims_.extract(first);
    if (node.empty()) return {first};
    for (const std::int64_t claim : node.mapped()) aliases_.erase(claim);
    return std::move(node.mapped());
  }
  void put_claims(Claims claims) {
    if (claims.size() == 1) return;
    const std::int64_t first = *claims.begin();
    for (auto claim = std::next(claims.begin()); claim != claims.end(); ++claim) aliases_[*claim] = first;
    claims_[first] = std::move(claims);
  }

  std::map<std::int64_t, Step> by_global_step_;
  std::array<std::map<std::int64_t, std::int64_t>, 4> first_;  // by mode, by mode step
  // Only of mode steps that several global steps claim:
  std::map<std::int64_t, Claims> claims_;         // by the first of them
  std::map<std::int64_t, std::int64_t> aliases_;  // the others: their first
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
