#include <optional>
#include <string>
#include <tensortap/tensortap.hpp>
#include <vector>

#include "commands.hpp"
#include "json_text.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

/// Returns the global steps of `mode`.
std::vector<std::int64_t> global_steps(const tt::Trial& trial, tt::Mode mode) {
  std::vector<std::int64_t> out;
  for (const std::int64_t step : trial.steps())
    if (trial.step(step)->mode == mode) out.push_back(step);
  return out;
}

/// Returns why no tensor is in `collection`.
std::string absence_text(const tt::Collection& collection) {
  const auto& patterns = collection.include_regex.list();
  if (patterns.empty() && collection.tensor_names.empty()) return "no tensor; it has neither patterns nor names";
  if (patterns.size() == 1 && patterns[0] == tt::builtin_pattern(collection.name))
    return "no tensor; its built-in pattern finds none of the saved names";
  return "no tensor; no saved name is one that it looks for (" +
         listed(patterns.empty() ? collection.tensor_names : patterns, 3) + ")";
}

void list_run(const tt::Trial& trial, const std::string& run, std::optional<tt::Mode> mode, std::ostream& out) {
  out << tt::escaped(run) << (trial.ended() ? ": ended" : ": running or interrupted") << ", "
      << plural(static_cast<std::size_t>(trial.num_workers()), "worker");
  if (const std::size_t attempts = attempts_of(trial)) out << ", " << plural(attempts, "attempt");
  const std::string numbers = mode ? std::string(tt::to_string(*mode)) + " steps" : "global steps";
  if (const tt::HookCost cost = trial.hook_cost(); cost != tt::HookCost()) out << "\nhook: " << to_string(cost);
  out << "\n\nsteps (" << numbers << ")\n";
  bool any = false;
  for (const tt::Mode one : tt::all_modes) {
    const auto steps = mode ? trial.steps(one) : global_steps(trial, one);
    if (steps.empty() || (mode && mode != one)) continue;
    out << "  " << tt::to_string(one) << ": " << steps_text(steps) << '\n';
    any = true;
  }
  if (!any) out << "  none\n";
  if (const auto facts = trial.facts(); !facts.empty()) {
    out << "\nfacts\n";
    for (const auto& [name, value] : facts) out << "  " << tt::escaped(name) << ": " << tt::escaped(value) << '\n';
  }
  if (!trial.collections().empty()) out << "\ncollections\n";
  for (const tt::Collection& collection : trial.collections()) {
    const std::size_t size = trial.tensors({.collection = collection.name}).size();
    out << "  " << tt::escaped(collection.name) << ": "
        << (size > 0 ? plural(size, "tensor") : absence_text(collection)) << '\n';
  }
  out << "\ntensors (" << numbers << ")\n";
  const auto tensors = trial.tensors({.mode = mode});
  for (const tt::TensorHistory& tensor : tensors)
    out << "  " << tt::escaped(tensor.name()) << ": " << steps_text(tensor.steps()) << ", " << tensor.stored_bytes()
        << " bytes\n";
  if (tensors.empty()) out << "  none\n";
}

/// Prints the run as one object. Its steps and those of its tensors are global ones, or those of `mode`.
void print_run(const tt::Trial& trial, const std::string& run, std::optional<tt::Mode> mode, std::ostream& out) {
  Json object = {{"run", run},
                 {"state", trial.ended() ? "ended" : "running or interrupted"},
                 {"workers", trial.num_workers()},
                 {"attempts", attempts_of(trial)},
                 {"steps", Json::object()},
                 {"facts", Json(trial.facts())},
                 {"collections", Json::array()},
                 {"tensors", Json::array()}};
  for (const tt::Mode one : tt::all_modes)
    if (const auto steps = mode ? trial.steps(one) : global_steps(trial, one);
        !steps.empty() && mode.value_or(one) == one)
      object["steps"][std::string(tt::to_string(one))] = json_of(steps);
  for (const tt::Collection& collection : trial.collections())
    object["collections"].push_back(
        {{"collection", collection.name}, {"tensors", trial.tensors({.collection = collection.name}).size()}});
  for (const tt::TensorHistory& tensor : trial.tensors({.mode = mode}))
    object["tensors"].push_back(
        {{"tensor", tensor.name()}, {"steps", json_of(tensor.steps())}, {"bytes", tensor.stored_bytes()}});
  const tt::HookCost cost = trial.hook_cost();
  object["hook_share"] = cost == tt::HookCost() ? Json() : Json(cost.share());
  add_gaps(object, trial);
  print_json(object, out);
}

}  // namespace

std::string steps_text(const std::vector<std::int64_t>& steps) {
  if (steps.empty()) return "no steps";
  std::string out = plural(steps.size(), "step") + ", " + std::to_string(steps.front());
  if (steps.size() > 1) out += " to " + std::to_string(steps.back());
  return out;
}

int list(const std::string& run, std::optional<tt::Mode> mode, bool json, std::ostream& out) {
  std::optional<tt::Trial> trial;
  try {
    trial.emplace(open_run("show", run));
  } catch (const std::exception&) {
    const auto runs = runs_in(run);
    if (runs.empty()) throw;
    return list_runs(runs, json, out);
  }
  if (mode == tt::Mode::global) mode.reset();
  if (json) {
    print_run(*trial, run, mode, out);
    return trial->damage().empty() && trial->losses().empty() ? 0 : 1;
  }
  list_run(*trial, run, mode, out);
  return report_damage(*trial, out);
}

}  // namespace tensortap_command
