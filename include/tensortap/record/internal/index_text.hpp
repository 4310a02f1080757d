// Builds the text of index files without a tree of JSON values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The text of an index file, built record by record. It keeps its memory from file to file.
class IndexText {
 public:
  /// Removes all entries.
  void clear() noexcept {
    tensors_.clear();
    shapes_.clear();
  }

  void add(std::string_view name, std::uint64_t start, std::uint64_t length, std::optional<std::uint32_t> crc32c) {
    tensors_ += tensors_.empty() ? "{\"tensorname\": " : ", {\"tensorname\": ";
    json_text::append_string(tensors_, name);
    tensors_.append(", \"start_idx\": ").append(std::to_string(start));
    tensors_.append(", \"length\": ").append(std::to_string(length));
    if (crc32c) tensors_.append(", \"crc32c\": ").append(std::to_string(*crc32c));
    tensors_ += '}';
  }

  void add_shape(std::string_view name, std::string_view original_name, std::span<const std::int64_t> shape) {
    shapes_ += shapes_.empty() ? "{\"tensorname\": " : ", {\"tensorname\": ";
    json_text::append_string(shapes_, name);
    shapes_ += ", \"originalname\": ";
    json_text::append_string(shapes_, original_name);
    shapes_ += ", \"shape\": [";
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      shapes_.append(axis > 0 ? ", " : "").append(std::to_string(shape[axis]));
    shapes_ += "]}";
  }

  /// Returns the text of the file. `event_file` is empty if only shapes were saved; `attempt` is the number of the
  /// attempt that writes it.
  [[nodiscard]] std::string text(Mode mode, std::int64_t mode_step, std::string_view event_file,
                                 std::optional<std::int64_t> attempt) const {
    std::string out = R"({"meta": {"mode": ")";
    out.append(to_string(mode)).append(R"(", "mode_step": )").append(std::to_string(mode_step));
    if (!event_file.empty()) {
      out += R"(, "event_file_name": )";
      json_text::append_string(out, event_file);
    }
    if (attempt) out.append(R"(, "run": )").append(std::to_string(*attempt));
    out.append(R"(}, "tensor_payload": [)").append(tensors_);
    out.append(R"(], "shape_payload": [)").append(shapes_);
    return out.append("]}");
  }

 private:
  std::string tensors_;
  std::string shapes_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
