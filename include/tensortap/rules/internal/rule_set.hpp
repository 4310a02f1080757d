// Several rules that see the same steps, and their findings, one for each rule, severity and tensor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/internal/recoveries.hpp>
#include <tensortap/rules/internal/tensor_catalog.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/verdict.hpp>
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

/// Whether the findings of several steps become one.
enum class Unite : std::uint8_t { no, yes };

/// Rules in their order. A rule that throws is not called again.
class RuleSet {
 public:
  explicit RuleSet(std::vector<Rule> rules, std::string worker = {}, Unite unite = Unite::yes)
      : originals_(std::move(rules)), worker_(std::move(worker)), unite_(unite) {
    restart();
  }

  /// Forgets all steps: replaces the rules by copies of the original ones.
  void restart() {
    catalog_ = {};
    findings_.clear();
    places_.clear();
    recoveries_ = {};
    rules_.clear();
    for (const Rule& rule : originals_) rules_.push_back({.rule = rule, .coverage = {}, .failure = {}});
  }

  /// Shows a step to all rules. Returns the places, in `findings()`, of those that are new. The exception of a rule
  /// becomes a finding with `failed` set; the first one is also put into `first_failure`, if that is empty.
  /// `has_others`: whether other workers save the same steps, which `compare` then compares.
  const std::vector<std::size_t>& judge(const StepView& view, std::exception_ptr& first_failure,
                                        bool has_others = false) {
    fresh_.clear();
    const JudgedStep step(catalog_, view, worker_);
    for (Entry& entry : rules_) {
      if (!entry.rule) continue;
      catalog_.watch(&entry.coverage);
      try {
        for (Finding& finding : (*entry.rule)(step)) {
          const bool may_recover = unite_ == Unite::yes && finding.severity == Severity::error &&
                                   std::isfinite(finding.value) && entry.rule->recovers();
          if (add(std::move(finding)) && may_recover) recoveries_.open(findings_.size() - 1, step.facts());
        }
        if (has_others && entry.rule->compares_workers()) entry.rule->observe(step);
      } catch (...) {
        if (!first_failure) first_failure = std::current_exception();
        fail(entry, view.step());
      }
    }
    catalog_.watch(nullptr);
    catalog_.end();
    recover(view.step());
    return fresh_;
  }

  /// Compares what the rules of several workers have observed in `step`, which all of them have saved. Returns the new
  /// findings.
  static std::vector<Finding> compare(std::span<RuleSet* const> sets, const Step& step) {
    std::vector<Finding> fresh;
    for (std::size_t i = 0; i < sets.front()->rules_.size(); ++i) {
      std::vector<std::pair<std::string_view, Rule*>> copies;
      for (RuleSet* set : sets)
        if (auto& rule = set->rules_[i].rule; rule && rule->compares_workers())
          copies.emplace_back(set->worker_, &*rule);
      if (copies.size() < 2) continue;
      try {
        for (Finding& finding : Rule::compare(copies)) {
          finding.step = step;
          finding.last_step = step.global_step;
          for (RuleSet* set : sets)
            if (set->worker_ == finding.worker && set->add(finding)) fresh.push_back(set->findings_.back());
        }
      } catch (...) {
        for (RuleSet* set : sets)
          if (set->rules_[i].rule) set->fail(set->rules_[i], step);
      }
    }
    return fresh;
  }

  /// Notes that an action has failed for `finding`.
  void add_failed_action(const Finding& finding, const std::string& cause) {
    Finding failed = finding;
    failed.message = "action: " + cause;
    failed.failed = true;
    findings_.push_back(std::move(failed));
  }

  [[nodiscard]] const std::vector<Finding>& findings() const noexcept { return findings_; }

  /// Returns the verdict so far. `otherwise`: the status of rules that have found nothing, could judge something, and
  /// have not failed.
  [[nodiscard]] Verdict verdict(RuleStatus otherwise) const {
    Verdict out{.findings = findings_, .rules = {}};
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const Entry& entry = rules_[i];
      const Rule& rule = originals_[i];
      RuleResult result{.rule = rule.name(),
                        .status = otherwise,
                        .tensors = entry.coverage.tensors,
                        .steps = entry.coverage.steps,
                        .reason = entry.failure};
      if (has_found(rule.name())) {
        result.status = RuleStatus::issues_found;
      } else if (!entry.rule) {
        result.status = RuleStatus::error;
      } else if (entry.coverage.tensors == 0 && otherwise != RuleStatus::in_progress) {
        result.status = RuleStatus::error;
        const std::string needs = rule.text().needs;
        result.reason = needs.empty() ? "it could judge nothing" : "it could judge nothing; it needs " + needs;
      }
      out.rules.push_back(std::move(result));
    }
    return out;
  }

  /// Writes or reads all that the rules have seen and found.
  void exchange(RuleState& state) {
    if (state.reading()) restart();
    std::uint64_t count = rules_.size();
    catalog_.exchange(state);
    state(count);
    state.require(count == rules_.size());
    for (std::size_t i = 0; i < rules_.size() && state.good(); ++i) {
      Entry& entry = rules_[i];
      std::string name = originals_[i].name();
      bool has_failed = !entry.rule;
      state(name)(has_failed)(entry.coverage)(entry.failure);
      state.require(name == originals_[i].name());
      if (state.reading() && has_failed) entry.rule.reset();
      if (entry.rule) entry.rule->exchange(state);
    }
    std::vector<StoredFinding> stored(findings_.begin(), findings_.end());
    state(stored)(recoveries_);
    if (!state.reading()) return;
    if (!state.complete()) return restart();
    for (StoredFinding& one : stored) {
      findings_.push_back(std::move(one.finding));
      if (!findings_.back().failed) places_.emplace(key_of(findings_.back()), findings_.size() - 1);
    }
  }

 private:
  using Key = std::tuple<std::string, Severity, std::string, std::int64_t>;

  struct Entry {
    std::optional<Rule> rule;  // none: it has failed
    RuleCoverage coverage;
    std::string failure;
  };

  /// A finding that can be part of a state.
  struct StoredFinding {
    StoredFinding() = default;
    StoredFinding(Finding from) : finding(std::move(from)) {}  // NOLINT(google-explicit-constructor)
    void exchange(RuleState& state) {
      Finding& f = finding;
      state(f.rule)(f.severity)(f.tensor)(f.worker)(f.step.mode)(f.step.mode_step)(f.step.global_step);
      state(f.value)(f.threshold)(f.message)(f.last_step)(f.count)(f.failed);
      state.require(f.severity <= Severity::advice && f.step.mode >= Mode::train && f.step.mode <= Mode::global);
    }
    Finding finding;
  };

  /// Returns what findings that become one have in common.
  [[nodiscard]] Key key_of(const Finding& finding) const {
    return {finding.rule, finding.severity, finding.tensor, unite_ == Unite::yes ? 0 : finding.step.global_step};
  }

  [[nodiscard]] bool has_found(const std::string& rule) const {
    for (const Finding& finding : findings_)
      if (finding.rule == rule && !finding.failed) return true;
    return false;
  }

  /// Makes advice of the errors from which the training has recovered. The next error of the same rule is a new one.
  void recover(const Step& step) {
    while (const auto place = recoveries_.next(catalog_.facts)) {
      if (*place >= findings_.size()) continue;
      Finding& finding = findings_[*place];
      places_.erase(key_of(finding));
      finding.severity = Severity::advice;
      finding.message += "; the loss has fallen since, by step " + std::to_string(step.global_step);
      const auto known = places_.try_emplace(key_of(finding), *place).first;
      known->second = std::min(known->second, *place);  // as after a restore
    }
  }

  /// Makes a finding of the exception that is being handled, and the end of the rule.
  void fail(Entry& entry, const Step& step) {
    entry.failure = message_of_current_exception();
    Finding failed{.rule = entry.rule->name(), .worker = worker_, .step = step, .failed = true};
    failed.message = entry.failure;
    failed.last_step = step.global_step;
    findings_.push_back(std::move(failed));
    entry.rule.reset();
  }

  /// Unites the finding with those of earlier steps. Returns whether it is new.
  bool add(Finding finding) {
    finding.worker = worker_;
    const auto [place, is_new] = places_.try_emplace(key_of(finding), findings_.size());
    if (is_new) {
      fresh_.push_back(findings_.size());
      findings_.push_back(std::move(finding));
      return true;
    }
    Finding& known = findings_[place->second];
    if (known.last_step == finding.step.global_step) return false;  // the rule has found it twice in a step
    known.last_step = finding.step.global_step;
    ++known.count;
    return false;
  }

  std::vector<Rule> originals_;
  std::string worker_;
  Unite unite_;
  TensorCatalog catalog_;
  std::vector<Entry> rules_;
  std::vector<Finding> findings_;
  std::map<Key, std::size_t> places_;  // in findings_
  Recoveries recoveries_;
  std::vector<std::size_t> fresh_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
