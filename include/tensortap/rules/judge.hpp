// Rules at work while training runs: what they find is acted upon at once.
//
//   tensortap::StopSignal stop;
//   auto on_step = tensortap::judge({tensortap::VanishingGradient{}}, tensortap::StopTraining{stop});
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/step_view.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/rule.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// What the exception in flight says.
inline std::string message_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of an unknown kind";
  }
}

/// Rules that are shown one step after the other. One that fails is not asked again.
class Bench {
 public:
  explicit Bench(std::vector<Rule> rules) : fresh_(std::move(rules)) { restart(); }

  /// Forgets all steps.
  void restart() { rules_.assign(fresh_.begin(), fresh_.end()); }

  /// What the rules find in `step`; a rule that fails is a finding, too, and then calls `failed` with its exception in
  /// flight.
  template <class Failed>
  [[nodiscard]] std::vector<Finding> judge(const StepView& step, const Failed& failed) {
    std::vector<Finding> out;
    for (std::optional<Rule>& rule : rules_) {
      if (!rule) continue;
      try {
        std::vector<Finding> found = (*rule)(step);
        out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
      } catch (...) {
        out.push_back(
            {.rule = rule->name(), .step = step.step(), .message = message_of_current_exception(), .failed = true});
        failed();
        rule.reset();
      }
    }
    return out;
  }

 private:
  std::vector<Rule> fresh_;
  std::vector<std::optional<Rule>> rules_;
};

}  // namespace detail

/// Rules as a callable for the hook's `on_step`: each step is shown to all of them, and `actions` are taken on what
/// they find. The same steps of a stored run give the same findings. A rule that throws is not asked again; the others
/// are, and so are all actions. Throws, when called: what the first rule or action that failed threw; the hook counts
/// it in its status. Threads: one at a time.
inline std::function<void(const StepView&)> judge(std::vector<Rule> rules, Actions actions) {
  return [bench = detail::Bench(std::move(rules)), actions = std::move(actions)](const StepView& step) mutable {
    std::exception_ptr failure;
    const auto keep = [&] {
      if (!failure) failure = std::current_exception();
    };
    for (const Finding& finding : bench.judge(step, keep)) {
      if (finding.failed) continue;
      try {
        actions.take(finding);
      } catch (...) {
        keep();
      }
    }
    if (failure) std::rethrow_exception(failure);
  };
}

TENSORTAP_END_NAMESPACE
