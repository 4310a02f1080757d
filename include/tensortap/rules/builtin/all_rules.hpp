// All built-in rules, by name.
//
//   const auto verdict = tensortap::evaluate(trial, tensortap::all_rules());
#pragma once

#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns every built-in rule with its defaults, in the order of their names.
std::vector<Rule> all_rules();

/// Returns the rules that SageMaker Debugger has, with its conditions and the parameters that it documents.
std::vector<Rule> smdebug_rules();

/// Returns the one of `rules` with this name. Throws: there is none.
Rule rule_named(std::string_view name, const std::vector<Rule>& rules = all_rules());

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/all_rules_impl.hpp>
#endif
