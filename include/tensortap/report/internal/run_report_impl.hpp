// The bodies of run_report.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/collected_series.hpp>
#include <tensortap/report/internal/report_curves.hpp>
#include <tensortap/report/internal/report_histograms.hpp>
#include <tensortap/report/internal/report_json.hpp>
#include <tensortap/report/internal/reported_findings.hpp>
#include <tensortap/report/internal/reported_trace.hpp>
#include <tensortap/report/internal/run_clock.hpp>
#include <tensortap/report/internal/whole_objects.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/rules/builtin/all_rules.hpp>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/timeline.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the last part of an address that is not empty.
inline std::string last_part_of(std::string address) {
  while (address.size() > 1 && address.back() == '/') address.pop_back();
  return address.substr(address.rfind('/') + 1);
}

/// Puts what needs no element into `out`.
inline void add_outline(const Trial& trial, const std::vector<TensorHistory>& tensors, RunReport& out) {
  out.state = trial.ended() ? "ended" : "running or interrupted";
  out.steps = trial.steps().size();
  for (const Mode mode : trial.modes()) {
    const std::vector<std::int64_t> steps = trial.steps(mode);
    if (!steps.empty()) out.modes[mode] = {static_cast<std::int64_t>(steps.size()), steps.front(), steps.back()};
  }
  out.tensors = tensors.size();
  for (const TensorHistory& tensor : tensors) out.bytes += tensor.stored_bytes();
  out.losses = trial.losses();
  out.thinned = trial.thinned();
  out.cost = trial.hook_cost();
  out.collections = trial.collections();
  out.facts = trial.facts();
}

inline void add_workers(const Trial& trial, RunReport& out) {
  const std::vector<Attempt> attempts = trial.attempts();
  for (const std::string& worker : trial.workers()) {
    ReportedWorker& one = out.workers.emplace_back();
    one.name = worker;
    one.attempts = static_cast<std::size_t>(
        std::count_if(attempts.begin(), attempts.end(), [&](const Attempt& a) { return a.worker == worker; }));
    for (const std::int64_t step : trial.steps(Mode::global, Completeness::any))
      if (trial.view(step, worker)) {
        ++one.steps;
        one.last_step = step;
      }
  }
}

/// Adds the trace of the run, if there is one.
inline void add_trace(const Store& run, const ReportOptions& options, std::size_t most, RunReport& out) {
  Timeline timeline = read_run_timeline(run);
  const auto is_empty = [&] { return timeline.events.empty() && timeline.metrics.empty(); };
  if (is_empty() && timeline.damage.empty() && options.trace) timeline = read_run_timeline(*options.trace);
  out.damage.insert(out.damage.end(), timeline.damage.begin(), timeline.damage.end());
  if (!is_empty()) out.trace = TraceReporter(timeline, most).report(out.left_out);
}

/// Adds the histograms of the tensors that have bands, in their order.
inline void add_histograms(const Trial& trial, RunReport& out) {
  std::size_t budget = HistogramLimits::bytes;
  for (const ReportCurve& band : out.bands) {
    if (band.quantity != to_string(Quantity::mean)) continue;
    if (out.histograms.size() == HistogramLimits::tensors) break;
    if (auto one = histogram_of(trial.tensor(band.tensor), budget)) out.histograms.push_back(std::move(*one));
  }
}

}  // namespace detail

TENSORTAP_INLINE RunReport report_of(const std::shared_ptr<const Store>& run, const ReportOptions& options) {
  constexpr std::size_t entries = std::size_t{1} << 19;  // of all series
  const Trial trial(std::make_shared<detail::WholeObjects>(run));
  RunReport out;
  out.address = run->location();
  out.name = options.name.empty() ? detail::last_part_of(out.address) : options.name;
  out.job = options.job;
  const std::vector<TensorHistory> tensors = trial.tensors();
  detail::add_outline(trial, tensors, out);
  detail::add_workers(trial, out);

  const std::size_t series = std::max<std::size_t>(tensors.size() * std::max<std::size_t>(out.workers.size(), 1), 1);
  const auto collected = std::make_shared<detail::CollectedSeries>(std::clamp<std::size_t>(entries / series, 64, 1024));
  std::vector<Rule> rules = options.rules ? *options.rules : all_rules();
  const std::vector<Rule> judging = rules;
  rules.emplace_back(detail::Collect{collected});
  Verdict verdict = evaluate(trial, std::move(rules));
  verdict.rules.pop_back();
  out.rules = std::move(verdict.rules);
  out.findings = detail::FindingReporter(trial, *collected, judging, options).report(std::move(verdict.findings));

  const std::size_t most = std::clamp<std::size_t>(options.most_entries, 16, 4096);
  detail::add_curves(*collected, most, out);
  detail::add_maps(*collected, out);
  detail::add_bands(*collected, out);
  detail::add_histograms(trial, out);
  detail::add_clock(trial, out);
  out.damage = trial.damage();
  detail::add_trace(*run, options, most, out);
  return out;
}

TENSORTAP_INLINE std::string to_json(const RunReport& report) { return detail::ReportJson(report).text(); }

TENSORTAP_END_NAMESPACE
