// What a report says of each finding: the curve of the number that caused it, and what was saved around it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/collected_series.hpp>
#include <tensortap/report/internal/report_curves.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class FindingReporter {
 public:
  static constexpr std::size_t most_detailed = 60;  // findings with a curve and rows
  static constexpr std::size_t entries = 120;       // of a curve

  FindingReporter(const Trial& trial, const CollectedSeries& series, const std::vector<Rule>& rules,
                  const ReportOptions& options)
      : trial_(trial), series_(series), steps_(trial.steps()), around_(std::min<std::size_t>(options.around, 50)) {
    for (const Rule& rule : rules) conditions_.emplace(rule.name(), rule.text().condition);
    for (const RankedSeries& one : series_with(series, Quantity::value)) {
      if (one.series->role != Role::loss && one.series->role != Role::metric) break;
      if (std::find(context_.begin(), context_.end(), one.key->tensor) == context_.end() && context_.size() < 3)
        context_.push_back(one.key->tensor);
    }
  }

  /// Returns what is said of all findings; errors first.
  [[nodiscard]] std::vector<ReportedFinding> report(std::vector<Finding> findings) const {
    std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.failed, a.severity) < std::pair(b.failed, b.severity);
    });
    std::vector<ReportedFinding> out;
    for (Finding& finding : findings) {
      ReportedFinding& one = out.emplace_back();
      if (const auto condition = conditions_.find(finding.rule); condition != conditions_.end())
        one.condition = condition->second;
      one.finding = std::move(finding);
      if (out.size() > most_detailed || one.finding.failed) continue;
      add_evidence(one);
      add_rows(one);
    }
    return out;
  }

 private:
  [[nodiscard]] const TensorSeries* series_of(const std::string& worker, const std::string& tensor, Mode mode) const {
    const auto found = series_.series().find({worker, tensor, mode});
    return found == series_.series().end() ? nullptr : &found->second;
  }

  void add_evidence(ReportedFinding& out) const {
    const Finding& finding = out.finding;
    const std::string& tensor = finding.tensor.empty() && !context_.empty() ? context_.front() : finding.tensor;
    const TensorSeries* series = series_of(finding.worker, tensor, finding.step.mode);
    if (series == nullptr) return;
    std::optional<Quantity> shown;
    for (std::size_t i = 0; i < quantity_count && !shown; ++i)
      if (const BoundedSeries* one = series->by_quantity[i].get();
          one != nullptr && !finding.tensor.empty() && has(*one, finding))
        shown = static_cast<Quantity>(i);
    out.shows_value = shown.has_value();
    for (const Quantity other : {Quantity::value, series->role == Role::weight ? Quantity::l2 : Quantity::rms,
                                 Quantity::l2, Quantity::abs_mean, Quantity::mean, Quantity::max, Quantity::non_finite})
      if (!shown && series->find(other) != nullptr) shown = other;
    if (shown) out.evidence = curve_of({finding.worker, tensor, finding.step.mode}, *series, *shown, entries);
  }

  /// Returns whether `series` has the number of the finding at its step.
  static bool has(const BoundedSeries& series, const Finding& finding) {
    const auto& all = series.entries();
    const auto next =
        std::upper_bound(all.begin(), all.end(), finding.step.global_step,
                         [](std::int64_t step, const BoundedSeries::Entry& entry) { return step < entry.first; });
    if (next == all.begin() || finding.value == 0) return false;
    const BoundedSeries::Entry& entry = *std::prev(next);
    const auto is_near = [&](double x) {
      return x == finding.value || std::abs(x - finding.value) <= 1e-6 * std::abs(finding.value);
    };
    return entry.last >= finding.step.global_step && (is_near(entry.min) || is_near(entry.max));
  }

  /// Returns the steps around that of the finding; those that have its tensor, if it has one.
  [[nodiscard]] std::vector<std::int64_t> steps_around(const Finding& finding) const {
    std::vector<std::int64_t> steps = steps_;
    if (!finding.tensor.empty() && trial_.has_tensor(finding.tensor)) steps = trial_.tensor(finding.tensor).steps();
    const auto at = std::lower_bound(steps.begin(), steps.end(), finding.step.global_step);
    const auto before = std::min<std::ptrdiff_t>(at - steps.begin(), static_cast<std::ptrdiff_t>(around_));
    const auto after = std::min<std::ptrdiff_t>(steps.end() - at, static_cast<std::ptrdiff_t>(around_) + 1);
    return {at - before, at + after};
  }

  void add_rows(ReportedFinding& out) const {
    const Finding& finding = out.finding;
    constexpr std::array<Quantity, 6> quantities = {Quantity::mean, Quantity::std, Quantity::min,
                                                    Quantity::max,  Quantity::l2,  Quantity::non_finite};
    std::vector<std::string> scalars = context_;
    std::erase(scalars, finding.tensor);
    out.columns = scalars;
    bool is_scalar = true;
    if (!finding.tensor.empty()) {
      const TensorSeries* series = series_of(finding.worker, finding.tensor, finding.step.mode);
      is_scalar = series == nullptr || series->find(Quantity::value) != nullptr;
      if (is_scalar)
        out.columns.push_back(finding.tensor);
      else
        for (const Quantity quantity : quantities) out.columns.emplace_back(to_string(quantity));
    }
    for (const std::int64_t step : steps_around(finding)) {
      const auto view = finding.worker.empty() ? trial_.view(step) : trial_.view(step, finding.worker);
      if (!view) continue;
      ReportedFinding::Row row{.step = view->step()};
      const auto value_of = [&](const std::string& tensor) {
        return numbers_of(*view, tensor)[static_cast<std::size_t>(Quantity::value)];
      };
      for (const std::string& tensor : scalars) row.numbers.push_back(value_of(tensor));
      if (!finding.tensor.empty() && is_scalar) row.numbers.push_back(value_of(finding.tensor));
      if (!is_scalar) {
        const Numbers numbers = numbers_of(*view, finding.tensor);
        for (const Quantity quantity : quantities) row.numbers.push_back(numbers[static_cast<std::size_t>(quantity)]);
      }
      out.rows.push_back(std::move(row));
    }
  }

  const Trial& trial_;
  const CollectedSeries& series_;
  std::vector<std::int64_t> steps_;
  std::size_t around_;
  std::map<std::string, std::string> conditions_;
  std::vector<std::string> context_;  // losses and metrics that are shown beside each finding
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
