// The collections file of a worker: which collections the run has, what is saved of them when, and which tensors they
// turned out to hold.
//
//   const std::string text = tensortap::to_json(tensortap::CollectionsFile{collections, 1});
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The content of a collections file. A collection without `save` has no save configuration there; one without
/// `save_raw_tensor` and reductions has no reduction configuration.
struct CollectionsFile {
  std::vector<Collection> collections;
  std::int64_t num_workers = 1;
};

namespace detail {

/// smdebug's spelling in configurations: norms are "l1_norm", "abs_l2_norm".
inline std::string configured_name(Reduction r) { return std::string(to_string(r)) + (is_norm(r) ? "_norm" : ""); }

inline std::optional<Reduction> parse_configured_name(std::string_view text) {
  constexpr std::string_view norm = "_norm";
  if (text.ends_with(norm)) text.remove_suffix(norm.size());
  return parse_reduction(text);
}

inline nlohmann::json to_json(const ModeSaveConfig& config) {
  // smdebug always has an interval: none is an interval that ends before it starts.
  const bool only_steps = config.interval() == 0;
  nlohmann::json out;
  out["save_interval"] = only_steps ? 500 : config.interval();
  out["save_steps"] = config.save_steps;
  out["start_step"] = config.start_step.value_or(0);
  out["end_step"] = nullptr;
  if (only_steps) out["end_step"] = 0;
  if (config.end_step) out["end_step"] = *config.end_step;
  return out;
}

}  // namespace detail

/// A collection as it stands in the file.
inline nlohmann::json to_json(const Collection& collection) {
  nlohmann::json out;
  out["name"] = collection.name;
  out["include_regex"] = collection.include_regex.list();
  out["tensor_names"] = collection.tensor_names;
  out["reduction_config"] = nullptr;
  if (collection.save_raw_tensor || collection.save_shape || !collection.reductions.empty()) {
    std::string names;
    for (const Reduction r : collection.reductions)
      if (r != Reduction::statistics) names += (names.empty() ? "" : ",") + detail::configured_name(r);
    out["reduction_config"]["save_raw_tensor"] = collection.saves_raw();
    out["reduction_config"]["reductions"] = names;
    out["reduction_config"]["save_shape"] = collection.save_shape;
  }
  out["save_config"] = nullptr;
  if (collection.save && !collection.save->is_custom())
    for (const Mode mode : all_modes) {
      auto& mode_config = out["save_config"][std::string(to_string(mode))];
      if (const auto& config = (*collection.save)[mode]) mode_config = detail::to_json(*config);
    }
  out["save_histogram"] = collection.save_histogram;
  if (collection.reductions.contains(Reduction::statistics)) out["statistics"] = true;  // our own key
  return out;
}

namespace detail {

inline std::vector<std::string> parse_texts(const nlohmann::json& from, std::string_view key,
                                            const json_text::Place& place) {
  std::vector<std::string> out;
  if (!from.contains(key) || from.at(std::string(key)).is_null()) return out;
  for (const auto& text : json_text::array(from, key, place)) {
    if (!text.is_string()) throw json_text::wrong(place, key, "an element is not a string");
    out.push_back(text.get<std::string>());
  }
  return out;
}

inline bool parse_flag(const nlohmann::json& from, std::string_view key, bool absent, const json_text::Place& place) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return absent;
  if (!found->is_boolean()) throw json_text::wrong(place, key, "it is neither true nor false");
  return found->get<bool>();
}

inline std::optional<std::int64_t> parse_step_number(const nlohmann::json& from, std::string_view key,
                                                     const json_text::Place& place) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return std::nullopt;
  return json_text::integer(*found, key, place);
}

inline ModeSaveConfig parse_mode_save_config(const nlohmann::json& from, const json_text::Place& place) {
  ModeSaveConfig out{.save_interval = parse_step_number(from, "save_interval", place).value_or(500),
                     .start_step = parse_step_number(from, "start_step", place).value_or(0),
                     .end_step = parse_step_number(from, "end_step", place),
                     .save_steps = {}};
  if (from.contains("save_steps"))
    for (const auto& step : json_text::array(from, "save_steps", place))
      out.save_steps.push_back(json_text::integer(step, "save_steps", place));
  std::sort(out.save_steps.begin(), out.save_steps.end());
  return out;
}

inline void parse_reduction_config(const nlohmann::json& from, const json_text::Place& place, Collection& out) {
  out.save_raw_tensor = parse_flag(from, "save_raw_tensor", false, place);
  out.save_shape = parse_flag(from, "save_shape", false, place);
  std::string names = from.contains("reductions") ? json_text::text(from, "reductions", place) : "";
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t comma = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, comma - begin);
    const auto reduction = parse_configured_name(name);
    if (!reduction) throw json_text::wrong(place, "reductions", "no reduction is called " + in_quotes(name));
    out.reductions.insert(*reduction);
    begin = comma + 1;
  }
}

inline Collection parse_collection(const std::string& name, const nlohmann::json& from, const json_text::Place& place) {
  if (!from.is_object()) throw json_text::wrong(place, name, "it is not an object");
  Collection out{.name = from.contains("name") ? json_text::text(from, "name", place) : name};
  out.include_regex = Patterns(parse_texts(from, "include_regex", place));
  out.tensor_names = parse_texts(from, "tensor_names", place);
  out.save_histogram = parse_flag(from, "save_histogram", true, place);
  if (const auto found = from.find("reduction_config"); found != from.end() && !found->is_null())
    parse_reduction_config(json_text::object(from, "reduction_config", place), place, out);
  if (const auto found = from.find("save_config"); found != from.end() && !found->is_null()) {
    const auto& modes = json_text::object(from, "save_config", place);
    out.save = SaveConfig::never();
    for (const Mode mode : all_modes)
      if (const auto config = modes.find(to_string(mode)); config != modes.end() && !config->is_null()) {
        if (!config->is_object()) throw json_text::wrong(place, to_string(mode), "it is not an object");
        (*out.save)[mode] = parse_mode_save_config(*config, place);
      }
  }
  if (parse_flag(from, "statistics", false, place)) out.reductions.insert(Reduction::statistics);
  return out;
}

}  // namespace detail

/// The file's text.
inline std::string to_json(const CollectionsFile& file) {
  nlohmann::json root;
  root["collections"] = nlohmann::json::object();
  for (const Collection& collection : file.collections) root["collections"][collection.name] = to_json(collection);
  root["_meta"]["num_workers"] = file.num_workers;
  return root.dump(-1, ' ', true);
}

/// The collections in `text`; `place` (its key) is for messages. Throws: not JSON, too deep, values of the wrong kind.
inline CollectionsFile parse_collections(std::string_view text, std::string_view place) {
  const detail::json_text::Place where{"collections", place};
  const nlohmann::json root = detail::json_text::parse(text, where);
  CollectionsFile out;
  for (const auto& [name, collection] : detail::json_text::object(root, "collections", where).items())
    out.collections.push_back(detail::parse_collection(name, collection, where));
  if (root.contains("_meta")) {
    const auto& meta = detail::json_text::object(root, "_meta", where);
    if (meta.contains("num_workers"))
      out.num_workers = static_cast<std::int64_t>(detail::json_text::natural(meta, "num_workers", where));
  }
  return out;
}

TENSORTAP_END_NAMESPACE
