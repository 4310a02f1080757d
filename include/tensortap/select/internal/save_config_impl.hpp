// The algebra of save configurations. The intersection of two clauses is one clause. A union is a list of clauses,
// shortened and sorted, so that equal unions compare equal and most of them fit smdebug's form.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::int64_t largest_step = std::numeric_limits<std::int64_t>::max();

/// Returns whether the range of `a` contains the range of `b`. Of two empty ranges, one with an interval covers one
/// without, so that files keep the interval.
inline bool covers(const SaveClause& a, const SaveClause& b) noexcept {
  if (b.interval <= 0) return true;
  if (a.interval <= 0) return false;
  if (b.end && *b.end <= b.start) return true;
  return b.interval % a.interval == 0 && a.start <= b.start && (!a.end || (b.end && *b.end <= *a.end));
}

inline std::vector<std::int64_t> sorted_set(std::vector<std::int64_t> steps) {
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

/// Returns an equal union without clauses that others cover, sorted, and with all listed steps in the first clause.
inline SaveConfig::Clauses simplified(SaveConfig::Clauses clauses) {
  if (clauses.size() < 2) return clauses;
  const auto key = [](const SaveClause& c) { return std::tuple(c.interval, c.start, c.end.value_or(largest_step)); };
  std::sort(clauses.begin(), clauses.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::vector<std::int64_t> steps;
  SaveConfig::Clauses out;
  for (SaveClause& clause : clauses) {
    steps.insert(steps.end(), clause.steps.begin(), clause.steps.end());
    if (std::any_of(out.begin(), out.end(), [&](const SaveClause& other) { return covers(other, clause); })) continue;
    std::erase_if(out, [&](const SaveClause& other) { return covers(clause, other); });
    out.push_back({clause.interval, clause.start, clause.end, {}});
  }
  out.front().steps = sorted_set(std::move(steps));
  return out;
}

inline SaveClause intersection(const SaveClause& a, const SaveClause& b) {
  SaveClause out{.interval = 0};
  for (const auto& [from, other] : {std::pair(&a, &b), std::pair(&b, &a)})
    std::copy_if(from->steps.begin(), from->steps.end(), std::back_inserter(out.steps),
                 [&other = other](std::int64_t step) { return other->includes(step); });
  if (a.interval > 0 && b.interval > 0) {
    const std::int64_t factor = b.interval / std::gcd(a.interval, b.interval);
    if (a.interval <= largest_step / factor) {
      out.interval = a.interval * factor;
      out.start = std::max(a.start, b.start);
      out.end = a.end && b.end ? std::min(a.end, b.end) : a.end ? a.end : b.end;
    } else if (a.includes(0) && b.includes(0)) {  // 0 is the only common multiple that is a step number
      out.steps.push_back(0);
    }
  }
  out.steps = sorted_set(std::move(out.steps));
  return out;
}

}  // namespace detail

TENSORTAP_INLINE bool SaveClause::includes(std::int64_t step) const noexcept {
  if (interval > 0 && step >= start && (!end || step < *end) && step % interval == 0) return true;
  return std::binary_search(steps.begin(), steps.end(), step);
}

TENSORTAP_INLINE SaveConfig SaveConfig::when(Predicate predicate) {
  SaveConfig config = never();
  config.predicate_ = std::move(predicate);
  return config;
}

TENSORTAP_INLINE bool SaveConfig::includes(const Step& step) const {
  if (predicate_) return predicate_(step);
  const Clauses& clauses = (*this)[step.mode];
  return std::any_of(clauses.begin(), clauses.end(),
                     [&](const SaveClause& clause) { return clause.includes(step.mode_step); });
}

TENSORTAP_INLINE SaveConfig SaveConfig::unite(const SaveConfig& a, const SaveConfig& b) {
  if (a.is_custom() || b.is_custom())
    return when([a, b](const Step& step) { return a.includes(step) || b.includes(step); });
  SaveConfig out = a;
  for (const Mode mode : all_modes) {
    out[mode].insert(out[mode].end(), b[mode].begin(), b[mode].end());
    out[mode] = detail::simplified(std::move(out[mode]));
  }
  return out;
}

TENSORTAP_INLINE SaveConfig SaveConfig::intersect(const SaveConfig& a, const SaveConfig& b) {
  if (a.is_custom() || b.is_custom())
    return when([a, b](const Step& step) { return a.includes(step) && b.includes(step); });
  SaveConfig out = never();
  for (const Mode mode : all_modes) {
    for (const SaveClause& of_a : a[mode])
      for (const SaveClause& of_b : b[mode]) out[mode].push_back(detail::intersection(of_a, of_b));
    out[mode] = detail::simplified(std::move(out[mode]));
  }
  return out;
}

TENSORTAP_INLINE SaveConfig every(std::int64_t n) {
  if (n < 1) throw Error::bad_save_config("every(" + std::to_string(n) + "): the interval must be at least 1");
  return SaveConfig(SaveConfig::Clauses{{.interval = n}});
}

TENSORTAP_INLINE SaveConfig at(std::initializer_list<std::int64_t> steps) {
  SaveClause clause{.interval = 0, .steps = steps};
  std::sort(clause.steps.begin(), clause.steps.end());
  return SaveConfig(SaveConfig::Clauses{clause});
}

TENSORTAP_INLINE SaveConfig from(std::int64_t n) { return SaveConfig(SaveConfig::Clauses{{.start = n}}); }

TENSORTAP_INLINE SaveConfig until(std::int64_t n) { return SaveConfig(SaveConfig::Clauses{{.end = n}}); }

TENSORTAP_INLINE SaveConfig during(Mode mode) {
  SaveConfig config = SaveConfig::never();
  config[mode].push_back({});
  return config;
}

TENSORTAP_END_NAMESPACE
