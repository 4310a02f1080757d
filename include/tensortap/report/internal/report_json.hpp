// The facts of a report as JSON, as the page of this folder describes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/json_writer.hpp>
#include <tensortap/report/internal/trace_json.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns "loss", "layer output" …
constexpr std::string_view to_string(Role role) noexcept {
  constexpr std::string_view names[] = {"other",    "loss",        "metric",       "weight", "bias",
                                        "gradient", "layer input", "layer output", "labels", "predictions"};
  return names[static_cast<std::size_t>(role)];
}

/// Writes one report.
class ReportJson {
 public:
  explicit ReportJson(const RunReport& report) : report_(report) {}

  [[nodiscard]] std::string text() {
    json_.open('{').key("name").text(report_.name).key("address").text(report_.address);
    add_summary();
    add_workers();
    add_ledger();
    json_.list("findings", report_.findings, [this](const ReportedFinding& one) { add(one); });
    json_.list("rules", report_.rules, [this](const RuleResult& rule) {
      json_.open('{').key("rule").text(rule.rule).key("status").text(to_string_of(rule.status));
      json_.key("tensors").integer(rule.tensors).key("steps").integer(rule.steps).key("reason").text(rule.reason);
      json_.close('}');
    });
    json_.list("curves", report_.curves, [this](const ReportCurve& curve) { add(curve, curve_digits); });
    json_.list("maps", report_.maps, [this](const ReportMap& map) { add(map); });
    json_.list("bands", report_.bands, [this](const ReportCurve& curve) { add(curve, map_digits); });
    json_.list("histograms", report_.histograms, [this](const ReportHistogram& one) { add(one); });
    if (report_.trace) TraceJson(*report_.trace, json_.key("trace")).write();
    json_.list("collections", report_.collections, [this](const Collection& one) { add(one); });
    json_.key("facts").open('{');
    for (const auto& [name, value] : report_.facts) json_.key(name).text(value);
    json_.close('}').close('}');
    return json_.take();
  }

 private:
  static constexpr int curve_digits = 8;  // as many as float32 has
  static constexpr int map_digits = 4;    // more cannot be seen
  static constexpr int time_digits = 14;  // milliseconds

  static std::string_view to_string_of(RuleStatus status) { return tensortap::to_string(status); }

  void add_summary() {
    json_.key("state").text(report_.state).key("steps").integer(report_.steps);
    json_.key("modes").open('{');
    for (const auto& [mode, numbers] : report_.modes)
      json_.key(tensortap::to_string(mode))
          .open('{')
          .key("steps")
          .integer(numbers.at(0))
          .key("first")
          .integer(numbers.at(1))
          .key("last")
          .integer(numbers.at(2))
          .close('}');
    json_.close('}').key("tensors").integer(report_.tensors).key("bytes").integer(report_.bytes);
    add_optional("began", report_.began, time_digits);
    add_optional("last_saved", report_.last_saved, time_digits);
    json_.key("left_out").integer(report_.left_out);
    if (!report_.job) return;
    const ReportedJob& job = *report_.job;
    json_.key("job").open('{').key("name").text(job.name).key("status").text(job.status);
    json_.key("training_seconds").number(job.training_seconds, time_digits);
    json_.key("billable_seconds").number(job.billable_seconds, time_digits);
    json_.key("savings").number(job.savings, map_digits).key("attempts").integer(job.attempts).close('}');
  }

  void add_workers() {
    json_.list("workers", report_.workers, [this](const ReportedWorker& one) {
      json_.open('{').key("name").text(one.name).key("steps").integer(one.steps);
      json_.key("last_step").integer(one.last_step).key("attempts").integer(one.attempts).close('}');
    });
    json_.list("interruptions", report_.interruptions, [this](const ReportedInterruption& one) {
      json_.open('{').key("worker").text(one.worker).key("attempt").integer(one.attempt);
      json_.key("resumed_at").integer(one.resumed_at);
      add_optional("seconds", one.seconds, time_digits);
      json_.close('}');
    });
    json_.list("clock", report_.clock, [this](const auto& entry) {
      json_.open('[').integer(entry.first).number(entry.second, time_digits).close(']');
    });
  }

  void add_ledger() {
    const RunLosses& lost = report_.losses;
    json_.key("lost").open('{').key("steps").integer(lost.steps).key("tensors").integer(lost.tensors);
    json_.key("bytes").integer(lost.bytes);
    if (!lost.empty()) json_.key("text").text(tensortap::to_string(lost));
    json_.close('}');
    json_.list("thinned", report_.thinned, [this](const Thinning& one) { json_.text(tensortap::to_string(one)); });
    if (report_.cost != HookCost()) {
      json_.key("hook").open('{').key("share").number(report_.cost.share(), curve_digits);
      json_.key("text").text(tensortap::to_string(report_.cost)).close('}');
    }
    json_.list("damage", report_.damage, [this](const Damage& one) { json_.text(one.where + ": " + one.cause); });
  }

  void add(const ReportedFinding& one) {
    json_.open('{').key("finding").raw(tensortap::to_json(one.finding)).key("condition").text(one.condition);
    if (one.evidence) {
      json_.key("evidence");
      add(*one.evidence, curve_digits);
      json_.key("shows_value").truth(one.shows_value);
    }
    if (!one.rows.empty()) {
      json_.list("columns", one.columns, [this](const std::string& name) { json_.text(name); });
      json_.list("rows", one.rows, [this](const ReportedFinding::Row& row) {
        json_.open('[').integer(row.step.global_step).text(tensortap::to_string(row.step.mode));
        json_.integer(row.step.mode_step);
        for (const auto& number : row.numbers) add_number(number, curve_digits);
        json_.close(']');
      });
    }
    json_.close('}');
  }

  void add(const ReportCurve& curve, int digits) {
    json_.open('{').key("tensor").text(curve.tensor).key("worker").text(curve.worker);
    json_.key("mode").text(tensortap::to_string(curve.mode)).key("role").text(to_string(curve.role));
    json_.key("quantity").text(curve.quantity).key("points").integer(curve.points);
    json_.key("points_per_entry").integer(curve.points_per_entry);
    const auto number = [&](double x) { json_.number(x, digits); };
    json_.list("steps", curve.steps, [this](std::int64_t step) { json_.integer(step); });
    json_.list("min", curve.min, number);
    if (curve.points_per_entry > 1) json_.list("max", curve.max, number);
    if (!curve.bad.empty()) json_.list("bad", curve.bad, [this](std::int64_t count) { json_.integer(count); });
    json_.close('}');
  }

  void add(const ReportMap& map) {
    json_.open('{').key("quantity").text(map.quantity).key("role").text(to_string(map.role));
    json_.list("columns", map.columns, [this](std::int64_t step) { json_.integer(step); });
    json_.list("tensors", map.tensors, [this](const std::string& name) { json_.text(name); });
    const auto add_cells = [this](const std::vector<double>& cells) {
      json_.open('[');
      for (const double cell : cells) add_number(std::isnan(cell) ? std::nullopt : std::optional(cell), map_digits);
      json_.close(']');
    };
    json_.list("min", map.min, add_cells);
    if (!std::equal(map.min.begin(), map.min.end(), map.max.begin(), are_equal)) json_.list("max", map.max, add_cells);
    json_.close('}');
  }

  void add(const ReportHistogram& one) {
    json_.open('{').key("tensor").text(one.tensor).key("worker").text(one.worker);
    json_.list("steps", one.steps, [this](std::int64_t step) { json_.integer(step); });
    json_.list("edges", one.edges, [this](double edge) { json_.number(edge, curve_digits); });
    json_.list("counts", one.counts, [this](const std::vector<std::uint64_t>& counts) {
      json_.open('[');
      for (const std::uint64_t count : counts) json_.integer(count);
      json_.close(']');
    });
    json_.close('}');
  }

  void add(const Collection& one) {
    json_.open('{').key("name").text(one.name);
    json_.list("patterns", one.include_regex.list(), [this](const std::string& pattern) { json_.text(pattern); });
    json_.key("tensors").integer(one.tensor_names.size());
    json_.list("reductions", one.reductions, [this](Reduction r) { json_.text(tensortap::to_string(r)); });
    json_.key("elements").truth(one.saves_raw()).close('}');
  }

  static bool are_equal(const std::vector<double>& a, const std::vector<double>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
  }

  void add_number(const std::optional<double>& number, int digits) {
    if (number)
      json_.number(*number, digits);
    else
      json_.null();
  }
  void add_optional(std::string_view name, const std::optional<double>& number, int digits) {
    if (number) json_.key(name).number(*number, digits);
  }

  const RunReport& report_;
  JsonWriter json_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
