// Encodes records of events/: the bytes around the elements, so that the elements themselves are never copied here.
//
//   const EventEncoder encoder(step);
//   encoder.append_head(out, "loss", wall_time, view);   // then the elements
//   out += encoder.tail();
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/event_fields.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the bytes of a field with an integer and a number below 16.
constexpr std::size_t integer_size(std::int64_t value) noexcept {
  return value == 0 ? 0 : 1 + wire::varint_size(static_cast<std::uint64_t>(value));
}

/// Returns the bytes of a field with `size` bytes of content and a number below 16.
constexpr std::size_t bytes_size(std::size_t size) noexcept { return 1 + wire::varint_size(size) + size; }

/// Returns the bytes of the Dim message of one axis, whose name is the tag, '_' and the extent.
inline std::size_t dim_size(std::string_view tag, std::int64_t extent) {
  return integer_size(extent) + bytes_size(tag.size() + 1 + std::to_string(extent).size());
}

inline void put_dim(std::string& out, std::string_view tag, std::int64_t extent) {
  const std::string digits = std::to_string(extent);
  wire::put_length(out, field::shape_dim, dim_size(tag, extent));
  wire::put_integer(out, field::dim_size, extent);
  wire::put_length(out, field::dim_name, tag.size() + 1 + digits.size());
  out.append(tag).append("_").append(digits);
}

inline std::string encode_metadata(const Step& step) {
  std::string out;
  const auto plugin = [&](std::string_view name, const std::string& content) {
    std::string data;
    wire::put_bytes(data, field::plugin_name, name);
    wire::put_bytes(data, field::plugin_content, content);
    wire::put_bytes(out, field::metadata_plugin, data);
  };
  plugin("mode_step", std::to_string(step.mode_step));
  plugin("mode", std::to_string(static_cast<int>(step.mode)));
  return out;
}

/// The encoder of the records of one step. It computes every size before it writes the first byte, so that it builds
/// nothing twice.
class EventEncoder {
 public:
  explicit EventEncoder(const Step& step) : global_step_(step.global_step) {
    wire::put_bytes(tail_, field::value_metadata, encode_metadata(step));
    metadata_size_ = tail_.size();
    tail_.append(reinterpret_cast<const char*>(tfrecord::events_footer.data()), tfrecord::footer_size);
  }

  /// Appends the bytes before the elements of `view`. The elements follow in row-major order, except for strings, which
  /// are part of these bytes.
  void append_head(std::string& out, std::string_view tag, double wall_time, const TensorView& view) const {
    const auto dtype = proto_dtypes[static_cast<std::size_t>(view.dtype())];
    const std::size_t content = view.nbytes();
    std::size_t shape_size = 0;
    for (const std::int64_t extent : view.shape()) shape_size += bytes_size(dim_size(tag, extent));
    std::size_t tensor_size = integer_size(dtype) + bytes_size(shape_size);
    if (view.dtype() == DType::string)
      for (std::size_t i = 0; i < view.size(); ++i) tensor_size += bytes_size(view.string(i).size());
    if (content > 0) tensor_size += bytes_size(content);
    const std::size_t tag_size = tag.empty() ? 0 : bytes_size(tag.size());
    const std::size_t value_size = tag_size + bytes_size(tensor_size) + metadata_size_;
    const std::size_t summary_size = bytes_size(value_size);
    const std::size_t event_size = wire::double_size(wall_time) + integer_size(global_step_) + bytes_size(summary_size);

    const auto header = tfrecord::header(event_size);
    out.append(reinterpret_cast<const char*>(header.data()), header.size());
    wire::put_double(out, field::event_wall_time, wall_time);
    wire::put_integer(out, field::event_step, global_step_);
    wire::put_length(out, field::event_summary, summary_size);
    wire::put_length(out, field::summary_value, value_size);
    if (!tag.empty()) wire::put_bytes(out, field::value_tag, tag);
    wire::put_length(out, field::value_tensor, tensor_size);
    wire::put_integer(out, field::tensor_dtype, dtype);
    wire::put_length(out, field::tensor_shape, shape_size);
    for (const std::int64_t extent : view.shape()) put_dim(out, tag, extent);
    if (view.dtype() == DType::string)
      for (std::size_t i = 0; i < view.size(); ++i) wire::put_bytes(out, field::string_val, view.string(i));
    if (content > 0) wire::put_length(out, field::tensor_content, content);
  }

  /// Returns the bytes behind the elements, which all records of the step share.
  [[nodiscard]] std::string_view tail() const noexcept { return tail_; }

 private:
  std::int64_t global_step_;
  std::string tail_;
  std::size_t metadata_size_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
