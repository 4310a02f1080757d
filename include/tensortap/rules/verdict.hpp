// The verdict on a run: what the rules have found, and what each of them could judge.
//
//   const tensortap::Verdict verdict = tensortap::evaluate(trial, tensortap::all_rules());
//   for (const auto& finding : verdict.findings) std::cout << tensortap::to_json(finding) << '\n';
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How far a rule has come. The names are those of SageMaker's status summaries.
enum class RuleStatus : std::uint8_t {
  in_progress,      ///< it has found nothing, and more steps may come
  no_issues_found,  ///< the run has ended, and it has found nothing
  issues_found,     ///< it has found something
  error,            ///< it failed, or there was nothing that it could judge
  stopped,          ///< the evaluation was stopped before the end of the run
};

/// Returns "InProgress", "NoIssuesFound", "IssuesFound", "Error" or "Stopped".
constexpr std::string_view to_string(RuleStatus status) noexcept {
  switch (status) {
    case RuleStatus::in_progress: return "InProgress";
    case RuleStatus::no_issues_found: return "NoIssuesFound";
    case RuleStatus::issues_found: return "IssuesFound";
    case RuleStatus::error: return "Error";
    case RuleStatus::stopped: break;
  }
  return "Stopped";
}

/// What became of one rule.
struct RuleResult {
  std::string rule = {};
  RuleStatus status = RuleStatus::in_progress;
  std::int64_t tensors = 0;  ///< how many tensors it could judge
  std::int64_t steps = 0;    ///< in how many steps it could judge one
  std::string reason = {};   ///< why it failed, or what must be saved for it

  friend bool operator==(const RuleResult&, const RuleResult&) = default;
};

/// What the rules have found.
struct Verdict {
  std::vector<Finding> findings = {};  ///< one for each rule, severity, tensor and worker; in the order of comes_before
  std::vector<RuleResult> rules = {};  ///< in the order of the rules

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

TENSORTAP_END_NAMESPACE
