// A rule looks at one step after the other and reports what is wrong. Any callable of this form is a rule:
//
//   tensortap::Rule rule("loss_is_nan", [](const tensortap::StepView& step) -> std::optional<tensortap::Finding> {
//     const auto loss = step.value("loss");
//     if (!loss || !std::isnan(loss->number(0))) return std::nullopt;
//     return tensortap::Finding{.tensor = "loss", .value = loss->number(0), .message = "the loss is not a number"};
//   });
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Rule;

/// A type that can become a Rule: its call operator takes a step, a StepView or a JudgedStep, and returns findings.
template <class T>
concept JudgesSteps =
    !std::same_as<T, Rule> && std::copy_constructible<T> && requires(T & rule, const JudgedStep& step) {
  requires std::same_as<decltype(rule(step)), std::optional<Finding>> ||
      std::same_as<decltype(rule(step)), std::vector<Finding>>;
};

/// A rule that compares workers, too: `observe(step)` takes what the copy of one worker needs of a step, and
/// `compare(all)` returns what differs between the copies of several workers after a step that all of them have saved.
/// Its findings name the worker.
template <class T>
concept ComparesWorkers = requires(T& rule, const JudgedStep& step,
                                   std::span<const std::pair<std::string_view, T*>> all) {
  rule.observe(step);
  { T::compare(all) } -> std::same_as<std::vector<Finding>>;
};

/// What a rule says of itself, for lists of rules. Fields that it leaves out are empty.
struct RuleText {
  std::string condition = {};  ///< when it fires
  std::string needs = {};      ///< what must be saved for it
  std::string source = {};     ///< where it comes from
};

/// A rule of any type. It may keep state from step to step. Copies must not share that state, for instance through a
/// pointer: after an interruption, the remaining steps are shown to a copy of the original rule.
/// Threads: one at a time.
class Rule {
 public:
  /// Takes from `rule`, where it has them: `static constexpr std::string_view name`, `condition`, `needs` and `source`;
  /// `required()`, the collections that must be saved; `visit(ParameterVisitor&)`, its parameters; and
  /// `exchange(RuleState&)`, its state. Without a name it is called "rule".
  template <JudgesSteps T>
  Rule(T rule) : Rule(name_of(rule), std::move(rule)) {}  // NOLINT(google-explicit-constructor)

  /// Sets the name and the collections that must be saved for the rule.
  template <JudgesSteps T>
  Rule(std::string name, T rule, std::vector<Collection> required = {})
      : name_(std::move(name)), required_(std::move(required)), model_(std::make_unique<Held<T>>(std::move(rule))) {}

  Rule(const Rule& other) : name_(other.name_), required_(other.required_), model_(other.model_->copy()) {}
  Rule(Rule&&) noexcept = default;
  Rule& operator=(Rule other) noexcept {
    std::swap(name_, other.name_);
    std::swap(required_, other.required_);
    std::swap(model_, other.model_);
    return *this;
  }
  ~Rule() = default;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] RuleText text() const { return model_->text(); }
  /// Returns the collections that the rule reads, with what must be saved of them.
  [[nodiscard]] std::vector<Collection> required() const { return required_.empty() ? model_->required() : required_; }

  /// Returns the parameters with their values.
  [[nodiscard]] std::vector<RuleParameter> parameters() const;
  /// Sets a parameter. Throws: the rule has none of this name; `value` is not of its type.
  void set(std::string_view parameter, std::string_view value);

  /// Returns whether its errors become advice when the loss falls afterwards: `recovers()` of the callable.
  [[nodiscard]] bool recovers() const { return model_->recovers(); }

  /// Returns what is wrong in `step`. Throws: what the callable throws.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// Writes or reads what the rule has seen; see RuleState.
  void exchange(RuleState& state) { model_->exchange(state); }

  /// Returns whether it compares workers.
  [[nodiscard]] bool compares_workers() const { return model_->compares_workers(); }
  /// Takes what `compare` needs of the step of one worker.
  void observe(const JudgedStep& step) { model_->observe(step); }
  /// Returns what differs between workers. `copies`: of one rule that compares workers, by the names of the workers.
  static std::vector<Finding> compare(std::span<const std::pair<std::string_view, Rule*>> copies);

 private:
  struct Model {
    Model() = default;
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    virtual ~Model() = default;
    [[nodiscard]] virtual std::unique_ptr<Model> copy() const = 0;
    virtual std::vector<Finding> judge(const JudgedStep& step) = 0;
    [[nodiscard]] virtual std::vector<Collection> required() const = 0;
    virtual void visit(ParameterVisitor& visitor) = 0;
    virtual void exchange(RuleState& state) = 0;
    [[nodiscard]] virtual bool recovers() const = 0;
    [[nodiscard]] virtual bool compares_workers() const = 0;
    virtual void observe(const JudgedStep& step) = 0;
    virtual std::vector<Finding> compare(std::span<const std::pair<std::string_view, Rule*>> copies) = 0;
    [[nodiscard]] virtual RuleText text() const = 0;
  };

  template <class T>
  struct Held final : Model {
    explicit Held(T value) : rule(std::move(value)) {}
    [[nodiscard]] std::unique_ptr<Model> copy() const override { return std::make_unique<Held>(rule); }
    std::vector<Finding> judge(const JudgedStep& step) override {
      if constexpr (std::same_as<decltype(rule(step)), std::vector<Finding>>) {
        return rule(step);
      } else {
        auto found = rule(step);
        return found ? std::vector<Finding>{std::move(*found)} : std::vector<Finding>();
      }
    }
    [[nodiscard]] std::vector<Collection> required() const override {
      if constexpr (requires {
                      { rule.required() } -> std::convertible_to<std::vector<Collection>>;
                    })
        return rule.required();
      else
        return {};
    }
    void visit(ParameterVisitor& visitor) override {
      if constexpr (requires { rule.visit(visitor); }) rule.visit(visitor);
    }
    void exchange(RuleState& state) override {
      if constexpr (requires { rule.exchange(state); }) rule.exchange(state);
    }
    [[nodiscard]] bool compares_workers() const override { return ComparesWorkers<T>; }
    void observe([[maybe_unused]] const JudgedStep& step) override {
      if constexpr (ComparesWorkers<T>) rule.observe(step);
    }
    std::vector<Finding> compare([[maybe_unused]] std::span<const std::pair<std::string_view, Rule*>> copies) override {
      if constexpr (ComparesWorkers<T>) {
        std::vector<std::pair<std::string_view, T*>> rules;
        for (const auto& [worker, copy] : copies) rules.emplace_back(worker, &static_cast<Held&>(*copy->model_).rule);
        return T::compare(std::span<const std::pair<std::string_view, T*>>(rules));
      } else {
        return {};
      }
    }
    [[nodiscard]] bool recovers() const override {
      if constexpr (requires {
                      { rule.recovers() } -> std::same_as<bool>;
                    })
        return rule.recovers();
      else
        return false;
    }
    [[nodiscard]] RuleText text() const override {
      RuleText out;
      if constexpr (requires { T::condition; }) out.condition = T::condition;
      if constexpr (requires { T::needs; }) out.needs = T::needs;
      if constexpr (requires { T::source; }) out.source = T::source;
      return out;
    }

    T rule;
  };

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
  std::unique_ptr<Model> model_;
};

/// Returns the collections that must be saved for all `rules`, one of each name, for the hook's options. If two rules
/// need the same collection, it is saved whenever one of them needs it.
std::vector<Collection> required_by(const std::vector<Rule>& rules);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/rule_impl.hpp>
#endif
