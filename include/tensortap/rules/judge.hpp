// Rules that run inside the training process, so that their actions are immediate.
//
//   tensortap::StopSignal stop;
//   tensortap::Judge judge({tensortap::VanishingGradient{}}, tensortap::StopTraining{stop});
//   options.on_step = judge;
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/verdict.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A callable for the hook's `on_step`: it shows each step to all rules, and takes `actions` on each new finding.
/// `evaluate` returns the same findings for the same steps of a stored run. A rule that throws is not called again; the
/// other rules and all actions continue. Copies share one state. Threads: any; one step at a time.
class Judge {
 public:
  explicit Judge(std::vector<Rule> rules, Actions actions = {}, std::string worker = "worker_0");

  /// Throws: the first exception of a rule or an action, which the hook counts in its status.
  void operator()(const StepView& step) const;

  /// Returns the collections that the rules need, which a hook with a budget spares.
  [[nodiscard]] const std::vector<Collection>& required() const noexcept;

  /// Returns what the rules have found so far.
  [[nodiscard]] Verdict verdict() const;

  /// Returns what TensorBoard shows of the last step: "findings/RULE" for each rule that has found something new in it.
  [[nodiscard]] std::vector<StepText> texts() const;

  /// Returns all that the rules have seen and found, for `restore`.
  [[nodiscard]] std::string state() const;
  /// Continues where the state was taken. Returns false, and starts over, if it is not that of these rules.
  bool restore(std::string_view state) const;  // NOLINT(modernize-use-nodiscard): a new beginning is no harm

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/judge_impl.hpp>
#endif
