// The body of evaluate.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/internal/rule_set.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// An evaluation in progress.
class Evaluation {
 public:
  Evaluation(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options)
      : trial_(trial), options_(options), rule_set_(std::move(rules)), rewinds_seen_(trial.rewinds().size()) {}

  /// Judges the complete steps that are new or have changed.
  void judge_new_steps() {
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
  /// Shows the first `count` of the judged steps to the original rules, without actions.
  void start_over(std::size_t count) {
    rule_set_.restart();
    findings_.clear();
    const std::vector<std::int64_t> kept(judged_.begin(), judged_.begin() + static_cast<std::ptrdiff_t>(count));
    judged_.clear();
    for (const std::int64_t step : kept) judge(step, false);
  }

  void judge(std::int64_t step, bool with_actions) {
    judged_.push_back(step);
    const auto view = trial_.view(step);
    if (!view) return;           // superseded meanwhile: the next refresh reports a rewind
    std::exception_ptr failure;  // the findings report it
    for (Finding& finding : rule_set_.judge(*view, failure)) {
      findings_.push_back(finding);
      if (!with_actions || finding.failed) continue;
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
  RuleSet rule_set_;
  std::size_t rewinds_seen_;
  std::vector<std::int64_t> judged_;  // ascending
  std::vector<Finding> findings_;
};

}  // namespace detail

TENSORTAP_INLINE std::vector<Finding> evaluate(const Trial& trial, std::vector<Rule> rules,
                                               const EvaluateOptions& options) {
  detail::Evaluation evaluation(trial, std::move(rules), options);
  if (!options.follow) {
    evaluation.judge_new_steps();
  } else {
    trial.wait_until(
        [&] {
          const bool last = trial.finished();  // asked first: later steps are judged the next time
          evaluation.judge_new_steps();
          return last || options.stop.requested();
        },
        options.timeout);
  }
  return std::move(evaluation).findings();
}

TENSORTAP_END_NAMESPACE
