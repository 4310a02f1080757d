// Writes and reads collections files, with smdebug's keys and some of our own: "save_clauses", and the records of
// several numbers, "statistics", "units" and "classes".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/internal/configured_names.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns smdebug's form of one clause. That form needs an interval: for none, writes an empty range, from 0 to 0.
inline nlohmann::json to_json(const SaveClause& clause) {
  const bool only_steps = clause.interval == 0;
  nlohmann::json out;
  out["save_interval"] = only_steps ? 500 : clause.interval;
  out["save_steps"] = clause.steps;
  out["start_step"] = only_steps ? 0 : clause.start;
  out["end_step"] = nullptr;
  if (only_steps) out["end_step"] = 0;
  if (!only_steps && clause.end) out["end_step"] = *clause.end;
  return out;
}

inline nlohmann::json to_json(const Collection& collection) {
  nlohmann::json out;
  out["name"] = collection.name;
  out["include_regex"] = collection.include_regex.list();
  out["tensor_names"] = collection.tensor_names;
  out["reduction_config"] = nullptr;
  if (collection.save_raw_tensor || collection.save_shape || !collection.reductions.empty()) {
    std::string names;
    for (const Reduction r : collection.reductions)
      if (!is_record(r)) names += (names.empty() ? "" : ",") + configured_name(r);
    out["reduction_config"]["save_raw_tensor"] = collection.saves_raw();
    out["reduction_config"]["reductions"] = names;
    out["reduction_config"]["save_shape"] = collection.save_shape;
  }
  out["save_config"] = nullptr;
  if (collection.save && !collection.save->is_custom())
    for (const Mode mode : all_modes) {
      const std::string name(to_string(mode));
      const SaveConfig::Clauses& clauses = (*collection.save)[mode];
      out["save_config"][name] = nullptr;
      if (!clauses.empty()) out["save_config"][name] = to_json(approximation(clauses));
      if (clauses.size() > 1)  // a key of our own: unions that smdebug's form cannot express
        for (const SaveClause& clause : clauses) out["save_clauses"][name].push_back(to_json(clause));
    }
  out["save_histogram"] = true;  // smdebug's key for TensorBoard, which readers of tensors ignore
  for (const Reduction r : collection.reductions)
    if (is_record(r)) out[std::string(to_string(r))] = true;  // keys of our own
  return out;
}

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

inline SaveClause parse_save_clause(const nlohmann::json& from, std::string_view key, const json_text::Place& place) {
  if (!from.is_object()) throw json_text::wrong(place, key, "it is not an object");
  SaveClause out{.interval = parse_step_number(from, "save_interval", place).value_or(500),
                 .start = parse_step_number(from, "start_step", place).value_or(0),
                 .end = parse_step_number(from, "end_step", place),
                 .steps = {}};
  if (out.interval == 500 && out.start == 0 && out.end == 0) out = {.interval = 0};
  if (from.contains("save_steps"))
    for (const auto& step : json_text::array(from, "save_steps", place))
      out.steps.push_back(json_text::integer(step, "save_steps", place));
  std::sort(out.steps.begin(), out.steps.end());
  return out;
}

inline SaveConfig parse_save_config(const nlohmann::json& from, const json_text::Place& place) {
  SaveConfig out = SaveConfig::never();
  const auto& modes = json_text::object(from, "save_config", place);
  for (const Mode mode : all_modes)
    if (const auto clause = modes.find(to_string(mode)); clause != modes.end() && !clause->is_null())
      out[mode] = {parse_save_clause(*clause, to_string(mode), place)};
  if (from.contains("save_clauses")) {
    const auto& unions = json_text::object(from, "save_clauses", place);
    for (const Mode mode : all_modes)
      if (unions.contains(to_string(mode))) {
        out[mode].clear();
        for (const auto& clause : json_text::array(unions, to_string(mode), place))
          out[mode].push_back(parse_save_clause(clause, "save_clauses", place));
      }
  }
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
  if (const auto found = from.find("reduction_config"); found != from.end() && !found->is_null())
    parse_reduction_config(json_text::object(from, "reduction_config", place), place, out);
  if (const auto found = from.find("save_config"); found != from.end() && !found->is_null())
    out.save = parse_save_config(from, place);
  for (std::size_t i = reduction_count; i < all_reductions_count; ++i)
    if (const auto r = static_cast<Reduction>(i); parse_flag(from, to_string(r), false, place))
      out.reductions.insert(r);
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::string to_json(const Collection& collection) {
  return detail::to_json(collection).dump(-1, ' ', true);
}

TENSORTAP_INLINE std::string to_json(const CollectionsFile& file) {
  nlohmann::json root;
  root["collections"] = nlohmann::json::object();
  for (const Collection& collection : file.collections)
    root["collections"][collection.name] = detail::to_json(collection);
  root["_meta"]["num_workers"] = file.num_workers;
  return root.dump(-1, ' ', true);
}

TENSORTAP_INLINE CollectionsFile parse_collections(std::string_view text, std::string_view place) {
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
