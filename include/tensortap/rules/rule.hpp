// A rule looks at one step after the other and reports what is wrong. Any callable of this form is a rule:
//
//   tensortap::Rule rule("loss_is_nan", [](const tensortap::StepView& step) -> std::optional<tensortap::Finding> {
//     const auto loss = step.value("loss");
//     if (!loss || !std::isnan(loss->number(0))) return std::nullopt;
//     return tensortap::Finding{.tensor = "loss", .value = loss->number(0), .message = "the loss is not a number"};
//   });
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Rule;

/// A type that can become a Rule: its call operator takes a step and returns findings.
template <class T>
concept JudgesSteps = !std::same_as<T, Rule> && std::copy_constructible<T> && requires(T & rule, const StepView& step) {
  requires std::same_as<decltype(rule(step)), std::optional<Finding>> ||
      std::same_as<decltype(rule(step)), std::vector<Finding>>;
};

/// A rule of any type. It may keep state from step to step. Copies must not share that state, for instance through a
/// pointer: after an interruption, the remaining steps are shown to a copy of the original rule.
/// Threads: one at a time.
class Rule {
 public:
  /// Takes the name from `static constexpr std::string_view name` of `rule`, else "rule", and the collections from
  /// `rule.required()`, else none.
  template <JudgesSteps T>
  Rule(T rule) : Rule(name_of(rule), std::move(rule)) {}  // NOLINT(google-explicit-constructor)

  /// Sets the name and the collections that must be saved for the rule.
  template <JudgesSteps T>
  Rule(std::string name, T rule, std::vector<Collection> required = {})
      : name_(std::move(name)), required_(std::move(required)) {
    if constexpr (requires {
                    { rule.required() } -> std::convertible_to<std::vector<Collection>>;
                  })
      if (required_.empty()) required_ = rule.required();
    judge_ = [rule = std::move(rule)](const StepView& step) mutable {
      auto found = rule(step);
      if constexpr (std::same_as<decltype(found), std::vector<Finding>>) {
        return found;
      } else {
        return found ? std::vector<Finding>{std::move(*found)} : std::vector<Finding>();
      }
    };
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Returns the collections that the rule reads, with what must be saved of them.
  [[nodiscard]] const std::vector<Collection>& required() const noexcept { return required_; }

  /// Returns what is wrong in `step`. Throws: what the callable throws.
  [[nodiscard]] std::vector<Finding> operator()(const StepView& step);

 private:
  template <class T>
  static std::string name_of([[maybe_unused]] const T& rule) {
    if constexpr (requires {
                    { T::name } -> std::convertible_to<std::string_view>;
                  }) {
      return std::string(T::name);
    } else {
      return "rule";
    }
  }

  std::string name_;
  std::vector<Collection> required_;
  std::function<std::vector<Finding>(const StepView&)> judge_;
};

/// Returns the collections that must be saved for all `rules`, one of each name, for the hook's options. If two rules
/// need the same collection, it is saved whenever one of them needs it.
std::vector<Collection> required_by(const std::vector<Rule>& rules);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/rule_impl.hpp>
#endif
