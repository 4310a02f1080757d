// The body of evaluate.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/internal/rule_set.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// An evaluation in progress.
class Evaluation {
 public:
  Evaluation(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options)
      : trial_(trial), options_(options), rules_(std::move(rules)), rewinds_seen_(trial.rewinds().size()) {}

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
    for (const std::string& worker : trial_.workers()) add_worker(worker);
    for (std::size_t i = judged_.size(); i < steps.size() && !options_.stop.requested(); ++i) judge(steps[i], true);
  }

  [[nodiscard]] Verdict verdict() {
    if (by_worker_.empty()) add_worker({});
    const RuleStatus otherwise = trial_.finished()           ? RuleStatus::no_issues_found
                                 : options_.stop.requested() ? RuleStatus::stopped
                                                             : RuleStatus::in_progress;
    Verdict out;
    for (const auto& [worker, rule_set] : by_worker_) {
      Verdict one = rule_set.verdict(otherwise);
      out.findings.insert(out.findings.end(), one.findings.begin(), one.findings.end());
      if (out.rules.empty()) {
        out.rules = std::move(one.rules);
        continue;
      }
      for (std::size_t i = 0; i < out.rules.size(); ++i) unite(out.rules[i], one.rules[i]);
    }
    std::stable_sort(out.findings.begin(), out.findings.end(), [](const Finding& a, const Finding& b) {
      return std::tie(a.step.global_step, a.worker) < std::tie(b.step.global_step, b.worker);
    });
    return out;
  }

 private:
  /// Adds what a rule of another worker could judge.
  static void unite(RuleResult& to, const RuleResult& other) {
    const auto weight = [](const RuleResult& result) {
      if (result.status == RuleStatus::issues_found) return 3;
      if (result.status == RuleStatus::error) return result.tensors > 0 ? 2 : 0;
      return 1;
    };
    to.tensors += other.tensors;
    to.steps = std::max(to.steps, other.steps);
    if (weight(other) <= weight(to)) return;
    to.status = other.status;
    to.reason = other.reason;
  }

  void add_worker(const std::string& worker) {
    if (by_worker_.contains(worker)) return;
    by_worker_.emplace(worker, RuleSet(rules_, worker, options_.each_step ? Unite::no : Unite::yes));
  }

  /// Shows the first `count` of the judged steps to the original rules, without actions.
  void start_over(std::size_t count) {
    by_worker_.clear();
    for (const std::string& worker : trial_.workers()) add_worker(worker);
    const std::vector<std::int64_t> kept(judged_.begin(), judged_.begin() + static_cast<std::ptrdiff_t>(count));
    judged_.clear();
    for (const std::int64_t step : kept) judge(step, false);
  }

  void judge(std::int64_t step, bool with_actions) {
    judged_.push_back(step);
    std::vector<RuleSet*> with_step;
    std::optional<Step> at;
    for (auto& [worker, rule_set] : by_worker_) {
      const auto view = trial_.view(step, worker);
      if (!view) continue;         // another worker's, or superseded meanwhile: the next refresh reports a rewind
      std::exception_ptr failure;  // the findings report it
      std::vector<Finding> fresh;
      for (const std::size_t place : rule_set.judge(*view, failure, by_worker_.size() > 1))
        fresh.push_back(rule_set.findings()[place]);
      if (with_actions) act(fresh);
      with_step.push_back(&rule_set);
      at = view->step();
    }
    if (with_step.size() < 2) return;
    const std::vector<Finding> fresh = RuleSet::compare(with_step, *at);
    if (with_actions) act(fresh);
  }

  void act(const std::vector<Finding>& fresh) {
    for (const Finding& finding : fresh) try {
        options_.on_finding.take(finding);
      } catch (...) {
        by_worker_.at(finding.worker).add_failed_action(finding, message_of_current_exception());
      }
  }

  const Trial& trial_;
  const EvaluateOptions& options_;
  std::vector<Rule> rules_;
  std::map<std::string, RuleSet> by_worker_;
  std::size_t rewinds_seen_;
  std::vector<std::int64_t> judged_;  // ascending
};

}  // namespace detail

TENSORTAP_INLINE Verdict evaluate(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options) {
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
  return evaluation.verdict();
}

TENSORTAP_END_NAMESPACE
