// A rule: something that looks at one step after the other and says what is wrong. Any callable is one:
//
//   tensortap::Rule rule("loss_is_nan", [](const tensortap::StepView& step) -> std::optional<tensortap::Finding> {
//     const auto loss = step.value("loss");
//     if (!loss || !std::isnan(loss->number(0))) return std::nullopt;
//     return tensortap::Finding{.tensor = "loss", .value = loss->number(0), .message = "the loss is not a number"};
//   });
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/internal/save_request.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Rule;

/// What can be a Rule: it is called with a step and returns what it found.
template <class T>
concept JudgesSteps = !std::same_as<T, Rule> && std::copy_constructible<T> && requires(T & rule, const StepView& step) {
  requires std::same_as<decltype(rule(step)), std::optional<Finding>> ||
      std::same_as<decltype(rule(step)), std::vector<Finding>>;
};

/// A rule of any kind. It may keep what it saw in earlier steps. A copy must go its own way: after an interruption the
/// remaining steps are shown to a fresh one. Do not keep state behind pointers, then.
/// Threads: one at a time.
class Rule {
 public:
  /// A rule without a name of its own (`static constexpr std::string_view name`) is called "rule"; one without
  /// `required()` needs no collections.
  template <JudgesSteps T>
  Rule(T rule) : Rule(name_of(rule), std::move(rule)) {}  // NOLINT(google-explicit-constructor)

  /// A rule under a name, and what must be saved for it.
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
  /// The collections it looks at, with what must be saved of them.
  [[nodiscard]] const std::vector<Collection>& required() const noexcept { return required_; }

  /// What is wrong in `step`. Throws: what the callable throws.
  [[nodiscard]] std::vector<Finding> operator()(const StepView& step) {
    std::vector<Finding> findings = judge_(step);
    for (Finding& finding : findings) {
      if (finding.rule.empty()) finding.rule = name_;
      finding.step = step.step();
    }
    return findings;
  }

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

/// What must be saved for all `rules`, one collection of each name: for the hook's options. Where two ask for the same,
/// it is saved whenever one of them wants it.
inline std::vector<Collection> required_by(const std::vector<Rule>& rules) {
  std::vector<Collection> out;
  for (const Rule& rule : rules)
    for (const Collection& collection : rule.required()) {
      const auto same =
          std::find_if(out.begin(), out.end(), [&](const Collection& other) { return other.name == collection.name; });
      if (same == out.end())
        out.push_back(collection);
      else
        detail::unite(*same, collection);
    }
  return out;
}

TENSORTAP_END_NAMESPACE
