// The body of evaluate.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/internal/dealing.hpp>
#include <tensortap/rules/internal/rule_set.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// An evaluation in progress.
class Evaluation {
 public:
  Evaluation(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options)
      : trial_(trial), options_(options), rules_(std::move(rules)), rewinds_seen_(trial.rewinds().size()) {
    const Shard& shard = options.shard;
    if (shard.index < 0 || shard.index >= shard.count) throw Error::bad_shard(shard.index, shard.count);
    dealing_ = Dealing(shard, trial.num_workers());
  }

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
    const Dealing dealing(options_.shard, trial_.num_workers());
    const bool is_dealt_anew = !(dealing == dealing_);
    dealing_ = dealing;
    if (same != judged_.end() || is_dealt_anew) start_over(static_cast<std::size_t>(same - judged_.begin()));
    for (const std::string& worker : trial_.workers()) add_worker(worker);
    for (std::size_t i = judged_.size(); i < steps.size() && !options_.stop.requested(); ++i) judge(steps[i], true);
  }

  [[nodiscard]] Verdict verdict() {
    if (trial_.workers().empty()) add_worker({});
    const RuleStatus otherwise = trial_.finished()           ? RuleStatus::no_issues_found
                                 : options_.stop.requested() ? RuleStatus::stopped
                                                             : RuleStatus::in_progress;
    Verdict out;
    std::vector<std::optional<RuleResult>> results(rules_.size());
    for (const auto& [worker, rule_set] : by_worker_) {
      Verdict one = rule_set.verdict(otherwise);
      std::move(one.findings.begin(), one.findings.end(), std::back_inserter(out.findings));
      for (std::size_t i = 0; i < results.size(); ++i) {
        if (!judges(worker, i)) continue;
        if (results[i])
          unite(*results[i], one.rules[i]);
        else
          results[i] = std::move(one.rules[i]);
      }
    }
    for (std::optional<RuleResult>& result : results)
      if (result) out.rules.push_back(std::move(*result));
    std::stable_sort(out.findings.begin(), out.findings.end(), comes_before);
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

  /// Returns whether this evaluation judges rule `i` in the steps of `worker`.
  [[nodiscard]] bool judges(std::string_view worker, std::size_t i) const {
    return dealing_.has(worker, i, rules_[i].compares_workers());
  }

  /// Adds the rules of `worker`, if this evaluation judges one. Others have their places, and do nothing.
  void add_worker(const std::string& worker) {
    if (by_worker_.contains(worker)) return;
    const auto idle = [](const StepView&) { return std::optional<Finding>(); };
    std::vector<Rule> rules;
    rules.reserve(rules_.size());
    bool has_any = rules_.empty();
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const bool is_mine = judges(worker, i);
      rules.push_back(is_mine ? rules_[i] : Rule(rules_[i].name(), idle));
      has_any = has_any || is_mine;
    }
    if (has_any)
      by_worker_.emplace(worker, RuleSet(std::move(rules), worker, options_.each_step ? Unite::no : Unite::yes));
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
  Dealing dealing_;
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
