// The bodies of hook_configuration.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/hook_configuration.hpp>
#include <tensortap/capture/internal/configured_collections.hpp>
#include <tensortap/capture/internal/configured_options.hpp>
#include <tensortap/capture/internal/configured_steps.hpp>
#include <tensortap/capture/internal/worker_of_environment.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/record/internal/placed_json.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view hook_configuration = "hook configuration";

/// Reads "HookParameters" into `out`. Returns the steps that collections without keys of their own are saved at.
inline ConfiguredSteps take_hook_parameters(const PlacedJson::Value& from, HookConfiguration& out) {
  std::vector<std::string> known = {"dry_run",  "include_regex",   "include_workers", "reductions",
                                    "save_all", "save_raw_tensor", "save_shape"};
  add_step_keys(known);
  for (const ConfiguredOption& option : configured_options) known.emplace_back(option.key);
  for (std::string& warning : from.unknown(known)) out.warnings.push_back(std::move(warning));
  (void)take_parts(from, out.parts, out.warnings);
  if (const auto workers = from.find("include_workers")) {
    const std::string text = workers->text();
    if (text != "one" && text != "all") throw workers->wrong("it must be \"one\" or \"all\"");
    out.include_workers = text == "all" ? IncludeWorkers::all : IncludeWorkers::one;
  }
  if (const auto dry_run = from.find("dry_run"); dry_run && dry_run->flag())
    out.warnings.push_back(dry_run->note("smdebug does not read it, and neither does this; see HookOptions::dry_run"));
  out.said = take_options(from, out.options);
  ConfiguredSteps steps;
  (void)steps.take(from);
  return steps;
}

inline HookConfiguration read_configuration(const PlacedJson::Value& root) {
  HookConfiguration out;
  out.warnings = root.unknown({"CollectionConfigurations", "HookParameters", "LocalPath", "S3OutputPath", "S3Path"});
  if (const auto path = root.find("LocalPath")) out.out_dir = path->text();
  if (out.out_dir.empty()) throw root.find("LocalPath")->wrong("it is empty; name a directory");
  const auto parameters = root.find("HookParameters");
  ConfiguredSteps steps;
  if (parameters) steps = take_hook_parameters(*parameters, out);
  out.options.save = steps.config();
  ConfiguredCollections collections(steps, out.parts);
  if (parameters) {
    if (const auto all = parameters->find("save_all"); all && all->flag()) collections.save_all();
    if (const auto patterns = parameters->find("include_regex")) collections.include(patterns_of(*patterns));
  }
  if (const auto list = root.find("CollectionConfigurations"))
    for (const PlacedJson::Value& one : list->elements()) collections.take(one, out.warnings);
  std::tie(out.options.collections, out.not_saved) = std::move(collections).result();
  return out;
}

/// Returns the parts of a collection as keys of its parameters.
inline void write_parts(const Collection& from, nlohmann::json& to) {
  if (from.reductions.empty() && !from.save_raw_tensor && !from.save_shape) return;
  std::string names;
  for (const Reduction r : from.reductions) names += (names.empty() ? "" : ",") + configured_name(r);
  to["reductions"] = names;
  to["save_raw_tensor"] = from.saves_raw();
  to["save_shape"] = from.save_shape;
}

inline nlohmann::json parameters_of(const Collection& collection) {
  nlohmann::json out = nlohmann::json::object();
  if (collection.include_regex.given()) out["include_regex"] = collection.include_regex.list();
  if (!collection.tensor_names.empty()) out["tensor_names"] = collection.tensor_names;
  if (collection.save) write_steps(*collection.save, out);
  if (!is_among(scalar_collections, collection.name)) write_parts(collection, out);
  return out;
}

/// Returns the text of "LocalPath" in a file of SageMaker, if there is such a file.
inline std::optional<std::string> local_path_in(const std::string& path, std::string_view what) {
  const auto text = text_of_file(path);
  if (!text) return std::nullopt;
  const PlacedJson document(*text, std::string(what), path);
  const auto value = document.root().find("LocalPath");
  return value ? std::optional(value->text()) : std::nullopt;
}

/// Returns the hyperparameters in SageMaker's file of them as facts: "hyperparameters/NAME". None if there is no such
/// file, or if it is damaged or too large for facts, which becomes a warning. Values that are no strings become JSON.
inline std::map<std::string, std::string> hyperparameters_in(const std::string& path,
                                                             std::vector<std::string>& warnings) {
  constexpr std::size_t limit = std::size_t{128} << 10;
  std::map<std::string, std::string> out;
  const auto text = text_of_file(path);
  if (text && text->size() > limit) warnings.push_back(in_quotes(path) + ": it is too large to be saved with the run");
  if (!text || text->size() > limit) return out;
  try {
    const nlohmann::json root = json_text::parse(*text, {"hyperparameters", path});
    for (const auto& [name, value] : root.items())
      if (!name.starts_with("sagemaker_"))
        out["hyperparameters/" + name] = value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', true);
  } catch (const Error& e) {
    warnings.emplace_back(e.what());
  }
  return out;
}

/// The files of a training job.
class JobFiles {
 public:
  explicit JobFiles(const HookConfiguration::Variable& variable) : variable_(variable) {
    const char* const base = variable("SAGEMAKER_BASE_DIR");
    folder_ = std::string(base == nullptr || *base == '\0' ? "/opt/ml" : base) + "/input/config/";
  }

  /// Returns the path that the variable gives, else `name` in the folder of configurations.
  [[nodiscard]] std::string path(const char* variable, const char* name) const {
    const char* const given = variable_(variable);
    return given == nullptr || *given == '\0' ? path(name) : given;
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_ + name; }

 private:
  const HookConfiguration::Variable& variable_;
  std::string folder_;
};

/// In a job, another file says where TensorBoard's files go. SageMaker writes it if they are wanted; 'tensortap train'
/// always does, so that there the hook's configuration decides.
inline void take_tensorboard_of_job(const JobFiles& files, const HookConfiguration::Variable& variable,
                                    HookOptions& options) {
  const bool is_wanted = options.tensorboard || !options.tensorboard_dir.empty();
  const auto directory = local_path_in(files.path("TENSORBOARD_CONFIG_FILE_PATH", "tensorboardoutputconfig.json"),
                                       "TensorBoard configuration");
  options.tensorboard = false;
  options.tensorboard_dir = is_wanted || variable("TENSORTAP_JOB_ATTEMPT") == nullptr ? directory.value_or("") : "";
}

}  // namespace detail

TENSORTAP_INLINE HookConfiguration HookConfiguration::from_json(std::string_view path_or_text) {
  const auto [text, name] = detail::text_or_file(path_or_text, detail::hook_configuration);
  const detail::PlacedJson document(text, std::string(detail::hook_configuration), name);
  HookConfiguration out = detail::read_configuration(document.root());
  for (const auto& [key, line] : document.repeated())
    out.warnings.push_back(in_quotes(name) + ": line " + std::to_string(line) + ": " + key +
                           ": the key comes twice; the last one counts");
  return out;
}

TENSORTAP_INLINE HookOptions HookOptions::from_json(std::string_view path_or_text) {
  return HookConfiguration::from_json(path_or_text).options;
}

TENSORTAP_INLINE HookConfiguration HookConfiguration::from_environment(const Variable& variable) {
  const Variable get = variable ? variable : Variable([](const char* name) { return std::getenv(name); });
  const auto off = [](std::string why) {
    HookConfiguration out;
    out.options.enabled = false;
    out.warnings.push_back(std::move(why));
    return out;
  };
  if (const char* const use = get("USE_SMDEBUG"))
    if (const std::string_view text(use); text == "0" || text == "false" || text == "False")
      return off("USE_SMDEBUG is " + std::string(text) + ": nothing is saved");
  const detail::JobFiles files(get);
  const std::string path = files.path("SMDEBUG_CONFIG_FILE_PATH", "debughookconfig.json");
  if (!std::ifstream(path).is_open())
    return off(in_quotes(path) + " is not there: nothing is saved; SMDEBUG_CONFIG_FILE_PATH names another file");
  HookConfiguration out = from_json(path);
  if (get("TRAINING_JOB_NAME") != nullptr) detail::take_tensorboard_of_job(files, get, out.options);
  if (auto checkpoints = detail::local_path_in(files.path("CHECKPOINT_CONFIG_FILE_PATH", "checkpointconfig.json"),
                                               "checkpoint configuration"))
    out.options.checkpoint_dir = std::move(*checkpoints);
  out.options.facts = detail::hyperparameters_in(files.path("hyperparameters.json"), out.warnings);
  // A manager starts the program again after each interruption: also before its first commit, and after it has closed
  // its run, but not yet handed over what it made.
  out.options.start_over = out.options.resume_ended = get("TENSORTAP_JOB_ATTEMPT") != nullptr;
  if (const auto place = detail::worker_of_environment(get, out.warnings)) {
    out.options.worker = "worker_" + std::to_string(place->rank);
    const bool all = out.include_workers == IncludeWorkers::all;
    out.options.num_workers = all ? place->count : 1;
    out.options.enabled = all || place->rank == 0;
  }
  return out;
}

TENSORTAP_INLINE HookOptions HookConfiguration::over(HookOptions base) const {
  base.collections = options.collections;
  base.save = options.save;
  base.enabled = base.enabled && options.enabled;
  base.facts.insert(options.facts.begin(), options.facts.end());
  detail::for_options_said(options, said, [&](const detail::ConfiguredOption& one) { one.copy(options, base); });
  const HookOptions defaults;
  if (options.worker != defaults.worker) base.worker = options.worker;
  if (options.num_workers != defaults.num_workers) base.num_workers = options.num_workers;
  if (!options.checkpoint_dir.empty() && base.checkpoints == nullptr) base.checkpoint_dir = options.checkpoint_dir;
  return base;
}

TENSORTAP_INLINE std::string HookConfiguration::to_json() const {
  nlohmann::json root;
  root["LocalPath"] = out_dir;
  nlohmann::json& parameters = root["HookParameters"];
  detail::write_steps(options.save, parameters);
  detail::write_parts(parts, parameters);
  parameters["include_workers"] = include_workers == IncludeWorkers::all ? "all" : "one";
  detail::for_options_said(options, said, [&](const detail::ConfiguredOption& one) {
    parameters[std::string(one.key)] = one.write(options);
  });
  root["CollectionConfigurations"] = nlohmann::json::array();
  for (const Collection& collection : options.collections)
    root["CollectionConfigurations"].push_back(
        {{"CollectionName", collection.name}, {"CollectionParameters", detail::parameters_of(collection)}});
  return root.dump(1, ' ', true) + '\n';
}

TENSORTAP_END_NAMESPACE
