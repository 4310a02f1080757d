// Several rules that see the same steps.
#pragma once

#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the message of the exception that is being handled.
inline std::string message_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

/// Rules in their order. A rule that throws is not called again.
class RuleSet {
 public:
  explicit RuleSet(std::vector<Rule> rules) : originals_(std::move(rules)) { restart(); }

  /// Replaces all rules by copies of the original ones, which have seen no step.
  void restart() { rules_.assign(originals_.begin(), originals_.end()); }

  /// Returns the findings of all rules in `step`. The exception of a rule becomes a finding with `failed` set; the
  /// first exception is also put into `first_failure`, if that is empty.
  [[nodiscard]] std::vector<Finding> judge(const StepView& step, std::exception_ptr& first_failure) {
    std::vector<Finding> out;
    for (std::optional<Rule>& rule : rules_) {
      if (!rule) continue;
      try {
        std::vector<Finding> found = (*rule)(step);
        out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
      } catch (...) {
        out.push_back(
            {.rule = rule->name(), .step = step.step(), .message = message_of_current_exception(), .failed = true});
        if (!first_failure) first_failure = std::current_exception();
        rule.reset();
      }
    }
    return out;
  }

 private:
  std::vector<Rule> originals_;
  std::vector<std::optional<Rule>> rules_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
