// The index of one step of one worker: which tensors it has, and where in the events file each record lies. One line of
// JSON, byte for byte as smdebug writes it, with keys of ours that smdebug ignores.
//
//   const std::string text = tensortap::to_json(index_file);
//   const tensortap::IndexFile again = tensortap::parse_index(text, "index/…");
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

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
  std::optional<std::int64_t> run = {};  ///< the attempt that wrote it; our own key
  std::string event_file;                ///< relative to the run; empty if only shapes were saved
  std::vector<TensorLocation> tensors;
  std::vector<SavedShape> shapes;
};

/// Builds the text of an index file, record by record. Memory is kept from file to file.
class IndexText {
 public:
  /// Forgets what was there.
  void clear() noexcept {
    tensors_.clear();
    shapes_.clear();
  }

  void add(std::string_view name, std::uint64_t start, std::uint64_t length, std::optional<std::uint32_t> crc32c) {
    tensors_ += tensors_.empty() ? "{\"tensorname\": " : ", {\"tensorname\": ";
    detail::json_text::append_string(tensors_, name);
    tensors_.append(", \"start_idx\": ").append(std::to_string(start));
    tensors_.append(", \"length\": ").append(std::to_string(length));
    if (crc32c) tensors_.append(", \"crc32c\": ").append(std::to_string(*crc32c));
    tensors_ += '}';
  }

  void add_shape(std::string_view name, std::string_view original_name, std::span<const std::int64_t> shape) {
    shapes_ += shapes_.empty() ? "{\"tensorname\": " : ", {\"tensorname\": ";
    detail::json_text::append_string(shapes_, name);
    shapes_ += ", \"originalname\": ";
    detail::json_text::append_string(shapes_, original_name);
    shapes_ += ", \"shape\": [";
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      shapes_.append(axis > 0 ? ", " : "").append(std::to_string(shape[axis]));
    shapes_ += "]}";
  }

  /// The file. `event_file` is empty if only shapes were saved; `run` is the attempt that writes it.
  [[nodiscard]] std::string text(Mode mode, std::int64_t mode_step, std::string_view event_file,
                                 std::optional<std::int64_t> run) const {
    std::string out = R"({"meta": {"mode": ")";
    out.append(to_string(mode)).append(R"(", "mode_step": )").append(std::to_string(mode_step));
    if (!event_file.empty()) {
      out += R"(, "event_file_name": )";
      detail::json_text::append_string(out, event_file);
    }
    if (run) out.append(R"(, "run": )").append(std::to_string(*run));
    out.append(R"(}, "tensor_payload": [)").append(tensors_);
    out.append(R"(], "shape_payload": [)").append(shapes_);
    return out.append("]}");
  }

 private:
  std::string tensors_;
  std::string shapes_;
};

/// The file's text.
inline std::string to_json(const IndexFile& index) {
  IndexText text;
  for (const TensorLocation& tensor : index.tensors) text.add(tensor.name, tensor.start, tensor.length, tensor.crc32c);
  for (const SavedShape& shape : index.shapes) text.add_shape(shape.name, shape.original_name, shape.shape);
  return text.text(index.mode, index.mode_step, index.event_file, index.run);
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
  const detail::json_text::Place where{"index", place};
  const nlohmann::json root = detail::json_text::parse(text, where);
  const auto& meta = detail::json_text::object(root, "meta", where);
  IndexFile out;
  const std::string mode = detail::json_text::text(meta, "mode", where);
  const auto known = parse_mode(mode);
  if (!known) throw detail::json_text::wrong(where, "mode", "no mode is called " + in_quotes(mode));
  out.mode = *known;
  out.mode_step = static_cast<std::int64_t>(detail::json_text::natural(meta, "mode_step", where));
  if (const auto run = meta.find("run"); run != meta.end() && run->is_number_unsigned())
    out.run = detail::json_text::integer(*run, "run", where);
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
