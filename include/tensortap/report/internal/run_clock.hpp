// When the steps of a run were saved, and where later attempts have continued it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/report/internal/report_histograms.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns when a global step was saved: the time of the first of its tensors that has one.
inline std::optional<double> time_of(const Trial& trial, std::int64_t step) {
  constexpr std::size_t tries = 4;
  const auto view = trial.view(step);
  if (!view) return std::nullopt;
  const std::vector<std::string> tensors = view->tensors();
  for (std::size_t i = 0; i < std::min(tensors.size(), tries); ++i)
    if (const auto time = trial.tensor(tensors[i]).wall_time(step); time && std::isfinite(*time) && *time > 0)
      return time;
  return std::nullopt;
}

/// Puts times and interruptions into `out`.
inline void add_clock(const Trial& trial, RunReport& out) {
  constexpr std::size_t sampled = 240;
  constexpr std::size_t most_interruptions = 64;
  const std::vector<std::int64_t> steps = trial.steps();
  if (steps.empty()) return;
  const std::vector<std::int64_t> some = some_of(steps, sampled);
  std::set<std::int64_t> wanted(some.begin(), some.end());
  for (const Attempt& attempt : trial.attempts()) {
    if (attempt.number == 0) continue;
    if (out.interruptions.size() == most_interruptions) {
      ++out.left_out;
      continue;
    }
    out.interruptions.push_back(
        {.worker = attempt.worker, .attempt = attempt.number, .resumed_at = attempt.resumed_at});
    const auto next = std::upper_bound(steps.begin(), steps.end(), attempt.resumed_at);
    if (next != steps.end()) wanted.insert(*next);
    if (next != steps.begin()) wanted.insert(*std::prev(next));
  }
  for (const std::int64_t step : wanted)
    if (const auto time = time_of(trial, step)) out.clock.emplace_back(step, *time);
  if (out.clock.empty()) return;
  for (ReportedInterruption& one : out.interruptions) {
    const auto next = std::upper_bound(out.clock.begin(), out.clock.end(), one.resumed_at,
                                       [](std::int64_t step, const auto& entry) { return step < entry.first; });
    if (next != out.clock.end() && next != out.clock.begin()) one.seconds = next->second - std::prev(next)->second;
  }
  const auto [first, last] = std::minmax_element(out.clock.begin(), out.clock.end(),
                                                 [](const auto& a, const auto& b) { return a.second < b.second; });
  out.began = first->second;
  out.last_saved = last->second;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
