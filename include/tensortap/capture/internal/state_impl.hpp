// Writes and reads the states of a run, and checks the files of its checkpoints.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

inline std::int64_t step_number(const nlohmann::json& value, std::string_view key, const json_text::Place& place) {
  const std::int64_t out = json_text::integer(value, key, place);
  if (out < -1 || out > step_limit) throw json_text::wrong(place, key, "it is out of range");
  return out;
}

inline std::uint32_t checksum(const nlohmann::json& file, const json_text::Place& place) {
  const std::uint64_t out = json_text::natural(file, "crc32c", place);
  if (out > UINT32_MAX) throw json_text::wrong(place, "crc32c", "it is out of range");
  return static_cast<std::uint32_t>(out);
}

/// Returns the text of one state, without its checksum and the last bracket.
inline std::string state_text(const State& state) {
  std::string out = R"({"training-run": )" + std::to_string(state.attempt);
  out.append(R"(, "latest-global-step-saved": )");
  out.append(state.last_saved ? std::to_string(*state.last_saved) : "null");
  out.append(R"(, "latest-global-step-seen": )").append(std::to_string(state.last_seen));
  out += R"(, "latest-mode-step": {)";
  for (const char* comma = ""; const Mode mode : {Mode::global, Mode::train, Mode::eval, Mode::predict})
    if (const auto& step = state.mode_steps[index_of(mode)]) {
      out.append(comma).append("\"").append(to_string(mode)).append("\": ").append(std::to_string(*step));
      comma = ", ";
    }
  out.append(R"(}, "mode": ")").append(to_string(state.mode)).append(R"(", "checkpoint": )");
  json_text::append_string(out, state.checkpoint);
  out += R"(, "files": [)";
  for (const char* comma = ""; const CheckpointFile& file : state.files) {
    out.append(comma).append(R"({"name": )");
    json_text::append_string(out, file.name);
    out.append(R"(, "size": )").append(std::to_string(file.size));
    out.append(R"(, "crc32c": )").append(std::to_string(file.crc32c)).append("}");
    comma = ", ";
  }
  out += "]";
  if (state.run_id.empty()) return out;
  out += R"(, "run-id": )";
  json_text::append_string(out, state.run_id);
  out += R"(, "run": )";
  json_text::append_string(out, state.run);
  return out;
}

inline State parse_state(const nlohmann::json& entry, const json_text::Place& place) {
  State out;
  out.attempt = step_number(json_text::at(entry, "training-run", place), "training-run", place);
  if (out.attempt < 0) throw json_text::wrong(place, "training-run", "it is negative");
  if (const auto& saved = json_text::at(entry, "latest-global-step-saved", place); !saved.is_null())
    out.last_saved = step_number(saved, "latest-global-step-saved", place);
  out.last_seen = step_number(json_text::at(entry, "latest-global-step-seen", place), "latest-global-step-seen", place);
  for (const auto& [name, step] : json_text::object(entry, "latest-mode-step", place).items())
    if (const auto mode = parse_mode(name))
      out.mode_steps[index_of(*mode)] = step_number(step, "latest-mode-step", place);
  if (entry.contains("mode")) out.mode = parse_mode(json_text::text(entry, "mode", place)).value_or(Mode::train);
  if (entry.contains("checkpoint")) out.checkpoint = json_text::text(entry, "checkpoint", place);
  if (entry.contains("files"))
    for (const auto& file : json_text::array(entry, "files", place)) {
      out.files.push_back(
          {json_text::text(file, "name", place), json_text::natural(file, "size", place), checksum(file, place)});
      (void)key_parts(out.files.back().name);
    }
  if (!out.checkpoint.empty()) (void)key_parts(out.checkpoint);
  if (entry.contains("run-id")) {
    out.run_id = json_text::text(entry, "run-id", place);
    out.run = json_text::text(entry, "run", place);
  }
  if (entry.contains("crc32c")) out.sound = checksum(entry, place) == crc32c(bytes_of(state_text(out)));
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::string to_json(std::span<const State> states) {
  std::string out = "[";
  for (const char* separator = ""; const State& state : states) {
    const std::string text = detail::state_text(state);
    out.append(separator).append(text);
    out.append(R"(, "crc32c": )").append(std::to_string(crc32c(bytes_of(text)))).append("}");
    separator = ", ";
  }
  return out + "]";
}

TENSORTAP_INLINE std::vector<State> parse_states(std::string_view text, std::string_view place) {
  const detail::json_text::Place where{"state", place};
  const nlohmann::json root = detail::json_text::parse_any(text, where);
  if (!root.is_array()) throw Error::damaged(where.what, where.where, "not a JSON array");
  std::vector<State> out;
  for (const auto& entry : root) out.push_back(detail::parse_state(entry, where));
  std::stable_sort(out.begin(), out.end(), [](const State& a, const State& b) { return a.last_seen < b.last_seen; });
  return out;
}

TENSORTAP_INLINE std::vector<State> read_states(const Store& checkpoints) {
  constexpr std::uint64_t limit = std::uint64_t{64} << 20;
  if (checkpoints.size(state_key).value_or(0) > limit)
    throw Error::damaged("state", checkpoints.location(), "metadata.json is too large");
  const auto bytes = checkpoints.get(state_key);
  return bytes ? parse_states(text_of(*bytes), checkpoints.location() + "/" + std::string(state_key))
               : std::vector<State>{};
}

TENSORTAP_INLINE std::optional<CheckpointFile> describe_checkpoint_file(const Store& checkpoints,
                                                                        const std::string& name) {
  constexpr std::uint64_t part = std::uint64_t{4} << 20;
  CheckpointFile out{name, 0, 0};
  for (;;) {
    const auto bytes = checkpoints.get(name, {out.size, part});
    if (!bytes) return std::nullopt;
    out.crc32c = crc32c(*bytes, out.crc32c);
    out.size += bytes->size();
    if (bytes->size() < part) return out;
  }
}

TENSORTAP_INLINE std::vector<CheckpointFile> describe_checkpoint(const Store& checkpoints, const std::string& key) {
  std::vector<CheckpointFile> out;
  const std::string folder = key.substr(0, key.rfind('/') + 1);  // npos + 1 is 0
  for (const ObjectInfo& object : checkpoints.list(folder))
    if (object.key == key || object.key.starts_with(key + "/")) {
      if (!is_utf8(object.key)) throw Error::name_not_utf8("commit", object.key);
      if (auto file = describe_checkpoint_file(checkpoints, object.key)) out.push_back(std::move(*file));
    }
  if (out.empty()) throw Error::no_checkpoint(checkpoints.location() + "/" + key);
  return out;
}

TENSORTAP_INLINE bool is_intact(const State& state, const Store& checkpoints) {
  return state.sound && std::all_of(state.files.begin(), state.files.end(), [&](const CheckpointFile& file) {
           return describe_checkpoint_file(checkpoints, file.name) == file;
         });
}

TENSORTAP_END_NAMESPACE
