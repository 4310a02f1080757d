#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <tensortap/tensortap.hpp>
#include <vector>

#include "commands.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

/// Returns the patterns that smdebug writes for a collection that has none of its own.
std::vector<std::string> patterns_of_smdebug(const tt::Collection& collection, bool is_saved) {
  if (collection.include_regex.given()) return collection.include_regex.list();
  const auto pattern = tt::smdebug_pattern(collection.name);
  if (!pattern || (collection.name == "all" && !is_saved)) return {};
  return {std::string(*pattern)};
}

/// Returns the collection as a collections file has it: complete.
nlohmann::ordered_json described(tt::Collection collection, const tt::HookConfiguration& from, bool is_saved) {
  if (!collection.save) collection.save = from.options.save;
  if (!collection.save_raw_tensor) collection.save_raw_tensor = collection.saves_raw();
  const bool adds_to_smdebug =
      !collection.include_regex.given() && tt::builtin_pattern(collection.name) != tt::smdebug_pattern(collection.name);
  const auto builtin = adds_to_smdebug ? tt::builtin_pattern(collection.name) : std::nullopt;
  collection.include_regex = tt::Patterns(patterns_of_smdebug(collection, is_saved));
  auto out = nlohmann::ordered_json::parse(tt::to_json(collection));
  if (builtin) out["also_finds"] = *builtin;
  return out;
}

/// Returns "every 100 steps from step 5, and at 3 steps".
std::string due_text(const tt::SaveConfig::Clauses& clauses) {
  if (clauses.empty()) return "never";
  std::string out;
  const tt::SaveClause& clause = clauses.front();
  const bool has_interval = clause.interval > 0 && (!clause.end || *clause.end > clause.start);
  if (has_interval) {
    out = clause.interval == 1 ? "each step" : "every " + std::to_string(clause.interval) + " steps";
    if (clause.start > 0) out += " from " + std::to_string(clause.start);
    if (clause.end) out += " until " + std::to_string(*clause.end);
  }
  if (!clause.steps.empty()) {
    out += out.empty() ? "at " : ", and at ";
    for (std::size_t i = 0; i < clause.steps.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(clause.steps[i]);
  }
  return out.empty() ? "never" : out;
}

std::string due_text(const tt::SaveConfig& config) {
  const auto& train = config[tt::Mode::train];
  if (std::all_of(tt::all_modes.begin(), tt::all_modes.end(), [&](tt::Mode mode) { return config[mode] == train; }))
    return due_text(train);
  std::string out;
  for (const tt::Mode mode : tt::all_modes)
    out += (out.empty() ? "" : "; ") + std::string(tt::to_string(mode)) + " " + due_text(config[mode]);
  return out;
}

std::string parts_text(const tt::Collection& collection) {
  std::string out;
  const auto add = [&](std::string_view part) { (out += out.empty() ? "" : ", ") += part; };
  if (collection.saves_raw()) add("elements");
  if (collection.save_shape) add("shape");
  for (const tt::Reduction r : collection.reductions) add(tt::to_string(r));
  return out.empty() ? "nothing" : out;
}

/// Returns where files for TensorBoard go; empty: nowhere.
std::string tensorboard_place(const tt::HookConfiguration& from) {
  const tt::HookOptions& options = from.options;
  if (!options.tensorboard || !options.tensorboard_dir.empty()) return options.tensorboard_dir;
  return from.out_dir + (options.run_files ? "/tensorboard" : "");
}

/// Returns the value of an option of the hook.
nlohmann::json option_of(const tt::HookConfiguration& from, const std::string& key) {
  return nlohmann::json::parse(from.to_json()).at("HookParameters").value(key, nlohmann::json());
}

}  // namespace

int config(const std::string& file, bool json, std::ostream& out) {
  const auto configuration = tt::HookConfiguration::from_json(file);
  const tt::HookOptions& options = configuration.options;
  const std::string tensorboard = tensorboard_place(configuration);
  const char* const workers = configuration.include_workers == tt::IncludeWorkers::all ? "all" : "one";
  if (json) {
    nlohmann::ordered_json object;
    object["collections"] = nlohmann::ordered_json::object();
    object["saved"] = nlohmann::ordered_json::array();
    for (const tt::Collection& collection : options.collections) {
      object["collections"][collection.name] = described(collection, configuration, true);
      object["saved"].push_back(collection.name);
    }
    const bool saves_all = std::any_of(options.collections.begin(), options.collections.end(),
                                       [](const tt::Collection& one) { return one.name == "all"; });
    for (const tt::Collection& collection : configuration.not_saved) {
      object["collections"][collection.name] = described(collection, configuration, false);
      if (saves_all) object["saved"].push_back(collection.name);
    }
    object["out_dir"] = configuration.out_dir;
    object["include_workers"] = workers;
    object["tensorboard"] = nullptr;
    if (!tensorboard.empty()) object["tensorboard"] = tensorboard;
    for (const std::string& key : configuration.said) object["options"][key] = option_of(configuration, key);
    object["warnings"] = configuration.warnings;
    out << object.dump() << '\n';
    return 0;
  }
  out << "run      " << tt::escaped(configuration.out_dir) << "\nworkers  " << workers << '\n';
  if (!tensorboard.empty()) out << "tensorboard  " << tt::escaped(tensorboard) << '\n';
  for (const tt::Collection& collection : options.collections) {
    out << "saves    " << tt::escaped(collection.name) << ": " << parts_text(collection) << "; "
        << due_text(collection.save.value_or(options.save)) << '\n';
    for (const std::string& pattern : collection.include_regex.list())
      out << "         names with " << tt::escaped(pattern) << '\n';
  }
  for (const std::string& key : configuration.said)
    out << "option   " << key << ": " << tt::escaped(option_of(configuration, key).dump(-1, ' ', true)) << '\n';
  for (const std::string& warning : configuration.warnings) std::cerr << "tensortap: " << warning << '\n';
  return 0;
}

}  // namespace tensortap_command
