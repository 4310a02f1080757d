// The bodies of judge.hpp.
#pragma once

#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/rule_set.hpp>
#include <tensortap/rules/judge.hpp>
#include <tensortap/rules/rule_state.hpp>

TENSORTAP_BEGIN_NAMESPACE

struct Judge::Shared {
  std::mutex mutex;
  detail::RuleSet rules;
  Actions actions;
};

TENSORTAP_INLINE Judge::Judge(std::vector<Rule> rules, Actions actions, std::string worker)
    : shared_(new Shared{
          .mutex = {}, .rules = detail::RuleSet(std::move(rules), std::move(worker)), .actions = std::move(actions)}) {}

TENSORTAP_INLINE void Judge::operator()(const StepView& step) const {
  std::exception_ptr failure;
  std::vector<Finding> fresh;
  {
    const std::lock_guard lock(shared_->mutex);
    for (const std::size_t place : shared_->rules.judge(step, failure))
      fresh.push_back(shared_->rules.findings()[place]);
  }
  for (const Finding& finding : fresh) try {
      shared_->actions.take(finding);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  if (failure) std::rethrow_exception(failure);
}

TENSORTAP_INLINE Verdict Judge::verdict() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->rules.verdict(RuleStatus::in_progress);
}

TENSORTAP_INLINE std::string Judge::state() const {
  const std::lock_guard lock(shared_->mutex);
  RuleState state;
  shared_->rules.exchange(state);
  return state.bytes();
}

TENSORTAP_INLINE bool Judge::restore(std::string_view bytes) const {
  const std::lock_guard lock(shared_->mutex);
  RuleState state(bytes);
  shared_->rules.exchange(state);
  return state.complete();
}

TENSORTAP_END_NAMESPACE
