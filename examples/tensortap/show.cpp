#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tensortap/report/export.hpp>
#include <tensortap/report/internal/table_row.hpp>
#include <tensortap/report/internal/text_tables.hpp>
#include <tensortap/tensortap.hpp>
#include <vector>

#include "columns.hpp"
#include "commands.hpp"
#include "reading_progress.hpp"
#include "runs.hpp"
#include "saved.hpp"
#include "step_ranges.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

/// Prints one line for each innermost row, at most `limit` elements.
void print_elements(const tt::Tensor& tensor, std::size_t limit, std::ostream& out) {
  const std::size_t row =
      tensor.rank() == 0 ? 1 : static_cast<std::size_t>(std::max<std::int64_t>(tensor.shape().back(), 1));
  const std::size_t shown = std::min(tensor.size(), limit);
  for (std::size_t i = 0; i < shown; ++i)
    out << element_text(tensor, i) << ((i + 1) % row == 0 || i + 1 == shown ? '\n' : ' ');
  if (shown < tensor.size()) out << "… " << tensor.size() - shown << " more; --all shows them\n";
}

void print_cells(const Cells& cells, std::ostream& out) {
  constexpr std::size_t width = 18;
  for (const auto& [name, text] : cells) out << "  " << padded(name, width, false) << ' ' << text << '\n';
}

/// Returns "global step 12", "step 3 of EVAL".
std::string step_text(std::int64_t step, tt::Mode mode) {
  if (mode == tt::Mode::global) return "global step " + std::to_string(step);
  return "step " + std::to_string(step) + " of " + std::string(tt::to_string(mode));
}

std::vector<std::string> workers_of(const tt::TensorHistory& tensor, std::int64_t step, const std::string& worker) {
  std::vector<std::string> out = tensor.workers(step);
  if (!worker.empty()) std::erase_if(out, [&](const std::string& other) { return other != worker; });
  return out;
}

/// Prints all that was saved of `tensor` in one step. Throws: nothing was.
void show_in_step(const tt::Trial& trial, const tt::TensorHistory& tensor, const Show& what, std::ostream& out) {
  const std::int64_t step = *what.step;
  bool any = false;
  for (const std::string& worker : workers_of(tensor, step, what.worker)) {
    const Saved saved = saved_of(tensor, step, worker);
    if (!saved.any()) continue;
    any = true;
    out << tt::escaped(tensor.name()) << ", " << step_text(step, what.mode) << ", " << tt::escaped(worker);
    if (saved.value) out << ", " << tt::to_string(saved.value->dtype());
    if (saved.shape) out << ", shape " << shape_text(*saved.shape);
    out << '\n';
    Cells reductions;
    for (const auto& [name, reduced] : saved.reductions)
      reductions.emplace_back(tt::escaped(name), whole_text(reduced));
    print_cells(reductions, out);
    if (saved.has_statistics || (saved.statistics && saved.statistics->non_finite() > 0))
      print_cells(statistics_cells(saved, saved.has_statistics), out);
    constexpr std::size_t first_elements = 100;
    if (saved.value) print_elements(*saved.value, what.all ? saved.value->size() : first_elements, out);
  }
  if (!any && trial.damage().empty())
    throw std::runtime_error("show: " + tt::in_quotes(tensor.name()) + ": nothing was saved in " +
                             step_text(step, what.mode) +
                             (what.worker.empty() ? "" : " by " + tt::escaped(what.worker)) + " (it has " +
                             steps_text(tensor.steps()) + "); name one of its steps");
}

/// Prints a line for each step and worker, with a column for each number that was saved in any of them. Returns false
/// if nothing was saved.
bool show_over_steps(const tt::TensorHistory& tensor, const Show& what, std::ostream& out) {
  struct Row {
    std::int64_t step;
    std::string worker;
    Cells cells;
  };
  std::vector<Row> rows;
  std::vector<std::string> columns;
  std::set<std::string> workers;
  for (const std::int64_t step : tensor.steps())
    for (const std::string& worker :
         what.steps.contains(step) ? workers_of(tensor, step, what.worker) : std::vector<std::string>()) {
      Row row{step, worker, cells_of(saved_of(tensor, step, worker))};
      for (const auto& [name, text] : row.cells)
        if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
      workers.insert(worker);
      rows.push_back(std::move(row));
    }
  if (rows.empty()) return false;

  std::vector<std::vector<std::string>> table(1);
  table[0].push_back(what.mode == tt::Mode::global ? "global step" : std::string(tt::to_string(what.mode)) + " step");
  if (workers.size() > 1) table[0].emplace_back("worker");
  table[0].insert(table[0].end(), columns.begin(), columns.end());
  for (const Row& row : rows) {
    auto& line = table.emplace_back();
    line.push_back(std::to_string(row.step));
    if (workers.size() > 1) line.push_back(tt::escaped(row.worker));
    const std::map<std::string, std::string> cells(row.cells.begin(), row.cells.end());
    for (const std::string& column : columns) line.push_back(cells.contains(column) ? cells.at(column) : "-");
  }
  std::vector<std::size_t> widths(table[0].size());
  for (const auto& line : table)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], columns_of(line[i]));
  for (const auto& line : table) {
    for (std::size_t i = 0; i < line.size(); ++i) out << (i > 0 ? "  " : "") << padded(line[i], widths[i], true);
    out << '\n';
  }
  return true;
}

std::runtime_error nothing_saved(const std::string& of, const Show& what) {
  return std::runtime_error("show: " + of + ": nothing was saved" +
                            (what.mode == tt::Mode::global ? "" : " in " + std::string(tt::to_string(what.mode))) +
                            (what.worker.empty() ? "" : " by " + tt::escaped(what.worker)) +
                            "; leave out the options to see what there is");
}

/// Returns the tensors of the pattern and the collection that were saved in the mode. Throws: there are none.
std::vector<tt::TensorHistory> find_tensors(const tt::Trial& trial, const Show& what) {
  tt::TensorQuery query = what.query;
  if (what.mode != tt::Mode::global) query.mode = what.mode;
  std::vector<tt::TensorHistory> out = trial.tensors(query);
  if (!out.empty()) return out;
  require_tensors("show", trial, query.include_regex);
  throw nothing_saved("these tensors", what);
}

/// Prints a table for each tensor. Throws: nothing was saved of them.
void show_tensors(const tt::Trial& trial, const Show& what, std::ostream& out) {
  bool any = false;
  for (const tt::TensorHistory& tensor : find_tensors(trial, what)) {
    std::ostringstream table;
    if (!show_over_steps(tensor, what, table)) continue;
    out << (any ? "\n" : "") << tt::escaped(tensor.name()) << '\n' << table.str();
    any = true;
  }
  if (!any && trial.damage().empty()) throw nothing_saved("these tensors", what);
}

/// Prints a line for each tensor and worker of one step. Throws: there is no such step.
void show_step(const tt::Trial& trial, const Show& what, std::ostream& out) {
  const auto global_step = trial.global_step(what.mode, *what.step);
  if (!global_step)
    throw std::runtime_error("show: " + step_text(*what.step, what.mode) + ": it was not saved (there are " +
                             steps_text(trial.steps(what.mode, tt::Completeness::any)) + "); name one of them");
  const tt::Step step = *trial.step(*global_step);
  out << "global step " << step.global_step;
  if (step.mode != tt::Mode::global) out << ", step " << step.mode_step << " of " << tt::to_string(step.mode);
  out << '\n';
  std::set<std::string> wanted;
  for (const tt::TensorHistory& tensor : find_tensors(trial, what)) wanted.insert(tensor.name());
  for (const std::string& name : trial.view(*global_step)->tensors()) {
    if (!wanted.contains(name)) continue;
    const tt::TensorHistory tensor = trial.tensor(name);
    for (const std::string& worker : workers_of(tensor, *global_step, what.worker)) {
      const Saved saved = saved_of(tensor, *global_step, worker);
      if (!saved.any()) continue;
      out << "  " << tt::escaped(name);
      if (trial.num_workers() > 1) out << ", " << tt::escaped(worker);
      if (saved.value && saved.value->size() != 1) out << ", " << kind_text(*saved.value);
      const char* separator = ": ";
      for (const auto& [column, text] : cells_of(saved)) {
        if (column == "elements") continue;
        out << separator << (column == "value" ? "" : column + " ") << text;
        separator = ", ";
      }
      out << '\n';
    }
  }
}

void require_worker(const tt::Trial& trial, const std::string& worker) {
  const auto workers = trial.workers();
  if (worker.empty() || std::find(workers.begin(), workers.end(), worker) != workers.end()) return;
  throw std::runtime_error("show: no worker is named " + tt::in_quotes(worker) + "; the run has " + listed(workers));
}

tt::TensorHistory find_tensor(const tt::Trial& trial, const std::string& run, const Show& what) {
  if (trial.has_tensor(what.tensor)) return trial.tensor(what.tensor, what.mode);
  std::vector<std::string> names;
  for (const tt::TensorHistory& tensor : trial.tensors()) names.push_back(tensor.name());
  const std::string nearby = suggestion(what.tensor, names);
  throw std::runtime_error("show: no tensor is named " + tt::in_quotes(what.tensor) +
                           (nearby.empty() ? "; \"tensortap show " + tt::escaped(run) + "\" lists them" : nearby));
}

/// Prints the rows of `export --jsonl`. Throws: there are none.
int show_rows(const tt::Trial& trial, const Show& what, std::ostream& out) {
  tt::ExportOptions options{.query = what.query, .steps = what.steps, .worker = what.worker};
  if (what.mode != tt::Mode::global) options.query.mode = what.mode;
  if (what.step) options.steps = only_step(*what.step);
  if (what.tensor.empty()) (void)find_tensors(trial, what);
  tt::detail::JsonLinesWriter writer(out);
  bool any = false;
  tt::detail::for_each_saved(
      trial, options,
      [&](const tt::TensorHistory& tensor, std::int64_t number, const tt::Step& step, const std::string& worker) {
        if (!what.tensor.empty() && tensor.name() != what.tensor) return;
        const tt::detail::TableRow row = tt::detail::row_of(tensor, number, step, worker);
        if (row.is_empty()) return;
        writer.add(row);
        any = true;
      });
  if (!any && trial.damage().empty()) throw nothing_saved("these tensors", what);
  ProgressLine::clear();
  return report_damage(trial, std::cerr);
}

}  // namespace

int show(const std::string& run, const Show& what, std::ostream& out) {
  const tt::Trial trial = open_run("show", run);
  require_worker(trial, what.worker);
  if (what.json) {
    if (!what.tensor.empty()) (void)find_tensor(trial, run, what);
    return show_rows(trial, what, out);
  }
  if (what.tensor.empty() && !what.step) {
    show_tensors(trial, what, out);
  } else if (what.tensor.empty()) {
    show_step(trial, what, out);
  } else if (what.step) {
    show_in_step(trial, find_tensor(trial, run, what), what, out);
  } else if (const tt::TensorHistory tensor = find_tensor(trial, run, what);
             !show_over_steps(tensor, what, out) && trial.damage().empty()) {
    throw nothing_saved(tt::in_quotes(tensor.name()), what);
  }
  return report_damage(trial, out);
}

}  // namespace tensortap_command
