// The body of judge.hpp.
#pragma once

#include <exception>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/rule_set.hpp>
#include <tensortap/rules/judge.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::function<void(const StepView&)> judge(std::vector<Rule> rules, Actions actions) {
  return [rule_set = detail::RuleSet(std::move(rules)), actions = std::move(actions)](const StepView& step) mutable {
    std::exception_ptr failure;
    for (const Finding& finding : rule_set.judge(step, failure)) {
      if (finding.failed) continue;
      try {
        actions.take(finding);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
  };
}

TENSORTAP_END_NAMESPACE
