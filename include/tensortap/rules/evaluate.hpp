// Rules over a run that is read back: finished, or followed while it is written.
//
//   tensortap::Trial live("runs/42", {.follow = true});
//   const auto findings = tensortap::evaluate(live, {tensortap::VanishingGradient{}},
//                                             {.follow = true, .on_finding = tensortap::Print{std::cerr}});
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judge.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How a run is evaluated.
struct EvaluateOptions {
  /// Go on until the run has ended; an interruption is not the end.
  bool follow = false;
  /// But no longer than this.
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  /// Ends it earlier.
  StopSignal stop = {};
  /// Taken on each finding as it comes. One of an attempt that is then set aside may come again from its successor.
  Actions on_finding = {};
  /// Called when a new attempt has begun, before the findings in the steps that went are withdrawn.
  std::function<void(const Rewind&)> on_rewind = {};
};

namespace detail {

/// An evaluation under way.
class Evaluation {
 public:
  Evaluation(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options)
      : trial_(trial), options_(options), bench_(std::move(rules)), rewinds_seen_(trial.rewinds().size()) {}

  /// Judges the complete steps that were not judged yet, or not as they are now.
  void go_on() {
    const std::vector<Rewind> rewinds = trial_.rewinds();
    const auto pause = trial_.no_refresh();
    const std::vector<std::int64_t> steps = trial_.steps();
    auto [same, _] = std::mismatch(judged_.begin(), judged_.end(), steps.begin(), steps.end());
    for (; rewinds_seen_ < rewinds.size(); ++rewinds_seen_) {
      const Rewind& rewind = rewinds[rewinds_seen_];
      if (options_.on_rewind) options_.on_rewind(rewind);
      if (!rewind.steps.empty())
        same = std::min(same, std::lower_bound(judged_.begin(), judged_.end(), rewind.steps.front()));
    }
    if (same != judged_.end()) start_over(static_cast<std::size_t>(same - judged_.begin()));
    for (std::size_t i = judged_.size(); i < steps.size() && !options_.stop.requested(); ++i) judge(steps[i], true);
  }

  [[nodiscard]] std::vector<Finding> findings() && { return std::move(findings_); }

 private:
  /// Shows fresh rules the first `count` of the steps that were judged. What is found in them is known.
  void start_over(std::size_t count) {
    bench_.restart();
    findings_.clear();
    const std::vector<std::int64_t> kept(judged_.begin(), judged_.begin() + static_cast<std::ptrdiff_t>(count));
    judged_.clear();
    for (const std::int64_t step : kept) judge(step, false);
  }

  void judge(std::int64_t step, bool act) {
    judged_.push_back(step);
    const auto view = trial_.view(step);
    if (!view) return;  // gone since: a rewind will tell
    for (Finding& finding : bench_.judge(*view, [] {})) {
      findings_.push_back(finding);
      if (!act || finding.failed) continue;
      try {
        options_.on_finding.take(finding);
      } catch (...) {
        findings_.push_back({.rule = finding.rule,
                             .tensor = finding.tensor,
                             .step = finding.step,
                             .message = "action: " + message_of_current_exception(),
                             .failed = true});
      }
    }
  }

  const Trial& trial_;
  const EvaluateOptions& options_;
  Bench bench_;
  std::size_t rewinds_seen_;
  std::vector<std::int64_t> judged_;  // ascending
  std::vector<Finding> findings_;
};

}  // namespace detail

/// What `rules` find in the complete steps of a run, in order. While it is followed, each step is judged once, as it
/// comes; when a new attempt sets steps aside, their findings are withdrawn, and rules as they were at first are shown
/// the steps that remain, without actions. So when the run has ended, the findings are those of an evaluation
/// afterwards (but for steps that were given up for incomplete, and completed later). A rule that throws is not asked
/// again, and a finding with `failed` set tells of it; the others go on. An action that throws is told the same way.
[[nodiscard]] inline std::vector<Finding> evaluate(const Trial& trial, std::vector<Rule> rules,
                                                   const EvaluateOptions& options = {}) {
  detail::Evaluation evaluation(trial, std::move(rules), options);
  if (!options.follow) {
    evaluation.go_on();
  } else {
    trial.wait_until(
        [&] {
          const bool last = trial.finished();  // before: what comes meanwhile is judged the next time
          evaluation.go_on();
          return last || options.stop.requested();
        },
        options.timeout);
  }
  return std::move(evaluation).findings();
}

TENSORTAP_END_NAMESPACE
