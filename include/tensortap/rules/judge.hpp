// Rules that run inside the training process, so that their actions are immediate.
//
//   tensortap::StopSignal stop;
//   auto on_step = tensortap::judge({tensortap::VanishingGradient{}}, tensortap::StopTraining{stop});
#pragma once

#include <functional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns a callable for the hook's `on_step`: it shows each step to all rules and takes `actions` on their findings.
/// `evaluate` returns the same findings for the same steps of a stored run. A rule that throws is not called again; the
/// other rules and all actions continue. Throws, when called: the first exception of a rule or an action, which the
/// hook counts in its status. Threads: one at a time.
std::function<void(const StepView&)> judge(std::vector<Rule> rules, Actions actions);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/judge_impl.hpp>
#endif
