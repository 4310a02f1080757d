// The index of one step of one worker: which tensors it has, and where in the events file each record lies. One line of
// JSON, byte for byte as smdebug writes it, with keys of ours that smdebug ignores.
//
//   const std::string text = tensortap::to_json(index_file);
//   const tensortap::IndexFile again = tensortap::parse_index(text, "index/…");
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/record/json_text.hpp>
#include <tensortap/step.hpp>

namespace tensortap::inline v0 {

/// Where a tensor's record lies in the events file. Units: bytes.
struct TensorLocation {
  std::string name;
  std::uint64_t start = 0;
  std::uint64_t length = 0;                  ///< with framing
  std::optional<std::uint32_t> crc32c = {};  ///< of the payload; our own key
};

/// The shape of a tensor that was saved without its elements.
struct SavedShape {
  std::string name;
  std::string original_name;
  std::vector<std::int64_t> shape;
};

/// One index file. Mode and mode step hold for all of it.
struct IndexFile {
  Mode mode = Mode::train;
  std::int64_t mode_step = 0;
  std::string event_file;  ///< relative to the run; empty if only shapes were saved
  std::vector<TensorLocation> tensors;
  std::vector<SavedShape> shapes;
};

/// The file's text.
inline std::string to_json(const IndexFile& index) {
  std::string out = R"({"meta": {"mode": ")" + std::string(to_string(index.mode)) + R"(", "mode_step": )" +
                    std::to_string(index.mode_step);
  if (!index.event_file.empty()) out += R"(, "event_file_name": )" + json_text::string(index.event_file);
  out += R"(}, "tensor_payload": [)";
  for (const char* separator = ""; const TensorLocation& tensor : index.tensors) {
    out += separator;
    out += R"({"tensorname": )" + json_text::string(tensor.name) + R"(, "start_idx": )" + std::to_string(tensor.start) +
           R"(, "length": )" + std::to_string(tensor.length);
    if (tensor.crc32c) out += R"(, "crc32c": )" + std::to_string(*tensor.crc32c);
    out += "}";
    separator = ", ";
  }
  out += R"(], "shape_payload": [)";
  for (const char* separator = ""; const SavedShape& shape : index.shapes) {
    out += separator;
    out += R"({"tensorname": )" + json_text::string(shape.name) + R"(, "originalname": )" +
           json_text::string(shape.original_name) + R"(, "shape": [)";
    for (std::size_t axis = 0; axis < shape.shape.size(); ++axis)
      out += (axis > 0 ? ", " : "") + std::to_string(shape.shape[axis]);
    out += "]}";
    separator = ", ";
  }
  return out + "]}";
}

namespace detail {

inline TensorLocation parse_location(const nlohmann::json& entry, json_text::Place place) {
  TensorLocation out{.name = json_text::text(entry, "tensorname", place),
                     .start = json_text::natural(entry, "start_idx", place),
                     .length = json_text::natural(entry, "length", place)};
  if (const auto crc = entry.find("crc32c"); crc != entry.end() && crc->is_number_unsigned())
    out.crc32c = static_cast<std::uint32_t>(crc->get<std::uint64_t>());
  return out;
}

inline SavedShape parse_saved_shape(const nlohmann::json& entry, json_text::Place place) {
  SavedShape out{.name = json_text::text(entry, "tensorname", place), .original_name = {}, .shape = {}};
  out.original_name = entry.contains("originalname") ? json_text::text(entry, "originalname", place) : out.name;
  for (const auto& extent : json_text::array(entry, "shape", place)) {
    out.shape.push_back(json_text::integer(extent, "shape", place));
    if (out.shape.back() < 0) throw json_text::wrong(place, "shape", "an extent is negative");
  }
  return out;
}

}  // namespace detail

/// The index in `text`; `place` (its key) is for messages. Throws: not JSON, too deep, a key missing or of the wrong
/// kind, an unknown mode, a negative step.
inline IndexFile parse_index(std::string_view text, std::string_view place) {
  const json_text::Place where{"index", place};
  const nlohmann::json root = json_text::parse(text, where);
  const auto& meta = json_text::object(root, "meta", where);
  IndexFile out;
  const std::string mode = json_text::text(meta, "mode", where);
  const auto known = parse_mode(mode);
  if (!known) throw json_text::wrong(where, "mode", "no mode is called " + in_quotes(mode));
  out.mode = *known;
  out.mode_step = static_cast<std::int64_t>(json_text::natural(meta, "mode_step", where));
  if (meta.contains("event_file_name")) out.event_file = json_text::text(meta, "event_file_name", where);
  if (!root.contains("tensor_payload") && !root.contains("shape_payload"))
    throw json_text::wrong(where, "tensor_payload", "it is missing, and so is shape_payload");
  if (root.contains("tensor_payload"))
    for (const auto& entry : json_text::array(root, "tensor_payload", where))
      out.tensors.push_back(detail::parse_location(entry, where));
  if (root.contains("shape_payload"))
    for (const auto& entry : json_text::array(root, "shape_payload", where))
      out.shapes.push_back(detail::parse_saved_shape(entry, where));
  if (!out.tensors.empty() && out.event_file.empty())
    throw json_text::wrong(where, "event_file_name", "it is missing, though tensors are listed");
  return out;
}

}  // namespace tensortap::inline v0
