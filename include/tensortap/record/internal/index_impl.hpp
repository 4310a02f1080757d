// Writes and reads index files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/index_scan.hpp>
#include <tensortap/record/internal/index_text.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
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
    if (out.shape.size() > IndexScan::most_axes) throw json_text::wrong(place, "shape", "it has more than 64 axes");
  }
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::string to_json(const IndexFile& index) {
  detail::IndexText text;
  for (const TensorLocation& tensor : index.tensors) text.add(tensor.name, tensor.start, tensor.length, tensor.crc32c);
  for (const SavedShape& shape : index.shapes) text.add_shape(shape.name, shape.original_name, shape.shape);
  return text.text(index.mode, index.mode_step, index.event_file, index.attempt);
}

TENSORTAP_INLINE IndexFile parse_index(std::string_view text, std::string_view place) {
  if (auto usual = detail::IndexScan::read(text)) return std::move(*usual);
  const detail::json_text::Place where{"index", place};
  const nlohmann::json root = detail::json_text::parse(text, where);
  const auto& meta = detail::json_text::object(root, "meta", where);
  IndexFile out;
  const std::string mode = detail::json_text::text(meta, "mode", where);
  const auto known = parse_mode(mode);
  if (!known) throw detail::json_text::wrong(where, "mode", "no mode is called " + in_quotes(mode));
  out.mode = *known;
  out.mode_step = static_cast<std::int64_t>(detail::json_text::natural(meta, "mode_step", where));
  if (const auto number = meta.find("run"); number != meta.end() && number->is_number_unsigned())
    out.attempt = detail::json_text::integer(*number, "run", where);
  if (meta.contains("event_file_name")) out.event_file = detail::json_text::text(meta, "event_file_name", where);
  if (!root.contains("tensor_payload") && !root.contains("shape_payload"))
    throw detail::json_text::wrong(where, "tensor_payload", "it is missing, and so is shape_payload");
  if (root.contains("tensor_payload"))
    for (const auto& entry : detail::json_text::array(root, "tensor_payload", where))
      out.tensors.push_back(detail::parse_location(entry, where));
  if (root.contains("shape_payload"))
    for (const auto& entry : detail::json_text::array(root, "shape_payload", where))
      out.shapes.push_back(detail::parse_saved_shape(entry, where));
  if (!out.tensors.empty() && out.event_file.empty())
    throw detail::json_text::wrong(where, "event_file_name", "it is missing, though tensors are listed");
  return out;
}

TENSORTAP_END_NAMESPACE
