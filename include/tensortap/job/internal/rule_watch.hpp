// The rules of a job: they follow its run beside the program, across interruptions, until the job has ended.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/rules/builtin/all_rules.hpp>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/verdict.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/trial/trial.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the rules that are wanted, with their parameters. Throws: a rule or parameter that does not exist, a rule
/// that comes twice.
inline std::vector<Rule> rules_of_job(const std::vector<JobRule>& wanted) {
  std::vector<Rule> out;
  const std::vector<Rule> known = wanted.empty() ? std::vector<Rule>() : all_rules();
  for (const JobRule& one : wanted) {
    Rule rule = rule_named(one.name, known);
    if (std::any_of(out.begin(), out.end(), [&](const Rule& other) { return other.name() == rule.name(); }))
      throw Error::bad_job_option("rules", in_quotes(one.name) + ": it comes twice; give it once");
    for (const JobSetting& parameter : one.parameters) rule.set(parameter.name, parameter.value);
    out.push_back(std::move(rule));
  }
  return out;
}

/// Follows a run. Threads: one calls the functions; the rules have a thread of their own.
class RuleWatch {
 public:
  using OnFinding = std::function<void(const Finding&)>;

  /// `known`: findings as JSON that were reported before this process began.
  RuleWatch(std::string run, std::vector<JobRule> wanted, const std::vector<std::string>& known, OnFinding on_finding)
      : run_(std::move(run)),
        wanted_(std::move(wanted)),
        rules_(rules_of_job(wanted_)),
        on_finding_(std::move(on_finding)),
        reported_(known.begin(), known.end()) {
    for (const Rule& rule : rules_) results_.push_back({.rule = rule.name()});
    if (!rules_.empty()) thread_ = start_thread([this] { follow(); });
  }
  RuleWatch(const RuleWatch&) = delete;
  RuleWatch& operator=(const RuleWatch&) = delete;

  ~RuleWatch() { join(); }

  /// Returns the finding of a rule that stops the job; nullopt: there is none.
  [[nodiscard]] std::optional<Finding> stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  [[nodiscard]] std::vector<RuleResult> results() const {
    const std::lock_guard lock(mutex_);
    return results_;
  }

  /// Returns the findings as JSON, in the order in which they came; after finish(), those of the verdict.
  [[nodiscard]] std::vector<std::string> findings() const {
    const std::lock_guard lock(mutex_);
    return findings_;
  }

  /// Ends with the verdict on the whole run. `completed`: no more steps come, so that a rule without findings has no
  /// issues; else it was stopped.
  void finish(bool completed) {
    if (rules_.empty()) return;
    join();
    Verdict verdict;
    try {
      verdict = evaluate(Trial(run_), rules_);
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      for (RuleResult& result : results_) {
        result.status = RuleStatus::error;
        result.reason = e.what();
      }
      return;
    }
    const std::lock_guard lock(mutex_);
    results_ = std::move(verdict.rules);
    for (RuleResult& result : results_)
      if (result.status == RuleStatus::in_progress)
        result.status = completed ? RuleStatus::no_issues_found : RuleStatus::stopped;
    findings_.clear();
    for (const Finding& finding : verdict.findings) findings_.push_back(to_json(finding));
  }

 private:
  void join() {
    stop_.request(StopReason::user);
    if (thread_.joinable()) thread_.join();
  }

  void follow() {
    // In a bucket each look is a request that is paid for.
    const std::chrono::milliseconds interval(JobNames::is_remote(run_) ? 2000 : 200);
    while (!stop_.requested()) {
      try {
        const Trial trial(run_, {.follow = true,
                                 .refresh_interval = interval,
                                 .wait_for_run = std::chrono::nanoseconds::max(),
                                 .poll_interval = interval,
                                 .stop = stop_});
        (void)evaluate(
            trial, rules_,
            {.follow = true, .stop = stop_, .on_finding = Action([this](const Finding& finding) { take(finding); })});
        if (trial.ended()) return;
      } catch (const std::exception&) {  // the run is not there yet, or was replaced: finish() reports what remains
      }
      for (int i = 0; i < 10 && !stop_.requested(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  void take(const Finding& finding) {
    const std::string text = to_json(finding);
    bool is_new = false;
    {
      const std::lock_guard lock(mutex_);
      is_new = reported_.insert(text).second;
      findings_.push_back(text);
      for (std::size_t i = 0; i < wanted_.size(); ++i)
        if (rules_[i].name() == finding.rule) {
          results_[i].status = RuleStatus::issues_found;
          if (wanted_[i].stops_training && !stopping_) stopping_ = finding;
        }
    }
    if (is_new && on_finding_) on_finding_(finding);
  }

  const std::string run_;
  const std::vector<JobRule> wanted_;
  const std::vector<Rule> rules_;
  const OnFinding on_finding_;
  StopSignal stop_;
  mutable std::mutex mutex_;  // guards the members below
  std::set<std::string> reported_;
  std::vector<RuleResult> results_;
  std::vector<std::string> findings_;
  std::optional<Finding> stopping_;
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
