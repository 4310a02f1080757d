// One record of events/: one tensor of one step, as smdebug's protobuf messages spell it. Writing yields the bytes
// around the elements, so that the elements themselves are never copied here; reading checks every length before it
// believes it.
//
//   const auto record = tensortap::encode_event({.tag = "loss", .wall_time = 1.7e9}, view);
//   file << record.head << elements << record.tail;
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a record says besides the tensor.
struct EventInfo {
  std::string tag;         ///< the tensor's name
  Step step;               ///< mode and mode step travel as plugin data
  double wall_time = 0.0;  ///< Units: seconds since 1970
};

/// A record without its elements: `head`, the elements, `tail`, one after the other, are the record.
struct EncodedEvent {
  std::string head;
  std::string tail;
};

/// A record that was read.
struct Event {
  EventInfo info;
  Tensor tensor;
};

namespace detail {

// Field numbers of the messages, and the numbers of their element types. They are the format on disk.
namespace field {
inline constexpr std::uint32_t event_wall_time = 1, event_step = 2, event_summary = 5;
inline constexpr std::uint32_t summary_value = 1;
inline constexpr std::uint32_t value_tag = 1, value_tensor = 8, value_metadata = 9;
inline constexpr std::uint32_t metadata_plugin = 1, plugin_name = 1, plugin_content = 2;
inline constexpr std::uint32_t tensor_dtype = 1, tensor_shape = 2, tensor_content = 4, float_val = 5, double_val = 6,
                               int_val = 7, string_val = 8, int64_val = 10, bool_val = 11;
inline constexpr std::uint32_t shape_dim = 2, dim_size = 1, dim_name = 2;
}  // namespace field

inline constexpr std::array<std::uint8_t, dtype_count> proto_dtypes = {
    19, 14, 1, 2, 6, 5, 3, 9, 4, 17, 22, 23, 10, 8, 18, 0};  // by DType; smdebug leaves strings at 0

inline DType dtype_from_proto(std::int64_t number) {
  if (number == 7) return DType::string;  // TensorFlow's number, which smdebug never writes
  const auto* found = std::find(proto_dtypes.begin(), proto_dtypes.end(), number);
  if (found == proto_dtypes.end())
    throw Error::damaged("record", "dtype", "no element type has the number " + std::to_string(number));
  return static_cast<DType>(found - proto_dtypes.begin());
}

/// Bytes of a field with an integer; these field numbers take one byte.
constexpr std::size_t integer_size(std::int64_t value) noexcept {
  return value == 0 ? 0 : 1 + wire::varint_size(static_cast<std::uint64_t>(value));
}

/// Bytes of a field with `size` bytes of content.
constexpr std::size_t bytes_size(std::size_t size) noexcept { return 1 + wire::varint_size(size) + size; }

/// Bytes of the Dim message of one axis, whose name is the tag, '_' and the extent.
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

}  // namespace detail

/// Encodes the records of one step. Every size is known before the first byte is written, so that nothing is built
/// twice.
class EventEncoder {
 public:
  explicit EventEncoder(const Step& step) : global_step_(step.global_step) {
    detail::wire::put_bytes(tail_, detail::field::value_metadata, detail::encode_metadata(step));
    metadata_size_ = tail_.size();
    tail_.append(reinterpret_cast<const char*>(tfrecord::events_footer.data()), tfrecord::footer_size);
  }

  /// Appends what stands before the elements of `view`, which follow in row-major order; strings are appended too.
  void append_head(std::string& out, std::string_view tag, double wall_time, const TensorView& view) const {
    namespace field = detail::field;
    const auto dtype = detail::proto_dtypes[static_cast<std::size_t>(view.dtype())];
    const std::size_t content = view.nbytes();
    std::size_t shape_size = 0;
    for (const std::int64_t extent : view.shape()) shape_size += detail::bytes_size(detail::dim_size(tag, extent));
    std::size_t tensor_size = detail::integer_size(dtype) + detail::bytes_size(shape_size);
    if (view.dtype() == DType::string)
      for (std::size_t i = 0; i < view.size(); ++i) tensor_size += detail::bytes_size(view.string(i).size());
    if (content > 0) tensor_size += detail::bytes_size(content);
    const std::size_t tag_size = tag.empty() ? 0 : detail::bytes_size(tag.size());
    const std::size_t value_size = tag_size + detail::bytes_size(tensor_size) + metadata_size_;
    const std::size_t summary_size = detail::bytes_size(value_size);
    const std::size_t event_size =
        detail::wire::double_size(wall_time) + detail::integer_size(global_step_) + detail::bytes_size(summary_size);

    const auto header = tfrecord::header(event_size);
    out.append(reinterpret_cast<const char*>(header.data()), header.size());
    detail::wire::put_double(out, field::event_wall_time, wall_time);
    detail::wire::put_integer(out, field::event_step, global_step_);
    detail::wire::put_length(out, field::event_summary, summary_size);
    detail::wire::put_length(out, field::summary_value, value_size);
    if (!tag.empty()) detail::wire::put_bytes(out, field::value_tag, tag);
    detail::wire::put_length(out, field::value_tensor, tensor_size);
    detail::wire::put_integer(out, field::tensor_dtype, dtype);
    detail::wire::put_length(out, field::tensor_shape, shape_size);
    for (const std::int64_t extent : view.shape()) detail::put_dim(out, tag, extent);
    if (view.dtype() == DType::string)
      for (std::size_t i = 0; i < view.size(); ++i) detail::wire::put_bytes(out, field::string_val, view.string(i));
    if (content > 0) detail::wire::put_length(out, field::tensor_content, content);
  }

  /// What stands behind the elements; the same for all records of the step.
  [[nodiscard]] std::string_view tail() const noexcept { return tail_; }

 private:
  std::int64_t global_step_;
  std::string tail_;
  std::size_t metadata_size_ = 0;
};

/// The bytes around the elements of `view`, which follow `head` in row-major order. Strings are in `head` already.
inline EncodedEvent encode_event(const EventInfo& info, const TensorView& view) {
  const EventEncoder encoder(info.step);
  EncodedEvent out{{}, std::string(encoder.tail())};
  encoder.append_head(out.head, info.tag, info.wall_time, view);
  return out;
}

namespace detail {

/// The elements of a repeated numeric field, packed or not, appended to `out` as T.
template <class T>
void append_numbers(wire::Reader& reader, std::vector<T>& out) {
  if (reader.type() == wire::Type::varint) {
    out.push_back(static_cast<T>(reader.integer()));
  } else if constexpr (std::floating_point<T>) {
    const auto content = reader.content();
    if (content.size() % sizeof(T) != 0) throw Error::damaged("record", "protobuf", "a packed field is cut off");
    const std::size_t before = out.size();
    out.resize(before + content.size() / sizeof(T));
    std::memcpy(out.data() + before, content.data(), content.size());
  } else {
    for (wire::Reader packed(reader.bytes()); !packed.empty();) out.push_back(static_cast<T>(packed.varint()));
  }
}

/// What a TensorProto holds, before its parts are known to agree.
struct TensorParts {
  DType dtype = DType::string;  // 0, the default, is what smdebug's strings have
  Tensor::Shape shape;
  std::span<const std::byte> content;
  std::vector<std::string> strings;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;
};

inline Tensor::Shape parse_shape(std::span<const std::byte> message) {
  Tensor::Shape shape;
  for (wire::Reader dims(message); dims.next();) {
    if (dims.field() != field::shape_dim) continue;
    std::int64_t extent = 0;
    for (wire::Reader dim(dims.bytes()); dim.next();)
      if (dim.field() == field::dim_size) extent = dim.integer();
    if (shape.size() == TensorView::max_rank) throw Error::rank_too_large(shape.size() + 1, TensorView::max_rank);
    shape.push_back(extent);
  }
  return shape;
}

inline TensorParts parse_tensor_parts(std::span<const std::byte> message) {
  TensorParts parts;
  for (wire::Reader tensor(message); tensor.next();) {
    switch (tensor.field()) {
      case field::tensor_dtype: parts.dtype = dtype_from_proto(tensor.integer()); break;
      case field::tensor_shape: parts.shape = parse_shape(tensor.bytes()); break;
      case field::tensor_content: parts.content = tensor.bytes(); break;
      case field::string_val: parts.strings.emplace_back(tensor.text()); break;
      case field::float_val: append_numbers(tensor, parts.floats); break;
      case field::double_val: append_numbers(tensor, parts.doubles); break;
      case field::int_val:
      case field::int64_val:
      case field::bool_val: append_numbers(tensor, parts.integers); break;
      default: break;
    }
  }
  return parts;
}

/// The tensor its parts make. Throws: parts that do not agree with the shape.
inline Tensor assemble(TensorParts parts) {
  if (parts.dtype == DType::string) {
    const TensorView checked(nullptr, DType::u8, parts.shape);
    if (checked.size() != parts.strings.size() || parts.shape.size() != 1)
      throw Error::damaged("record", "tensor", "the number of strings does not fit the shape");
    return Tensor(std::move(parts.strings));
  }
  const TensorView checked(nullptr, parts.dtype, parts.shape);
  const auto misfit = [&](std::size_t has) {
    return Error::damaged("record", "tensor",
                          "its elements do not fill its shape (" + std::to_string(has) + " of " +
                              std::to_string(checked.size()) + " elements)");
  };
  if (!parts.content.empty() || checked.size() == 0) {
    if (parts.content.size() != checked.nbytes()) throw misfit(parts.content.size() / size_of(parts.dtype));
    Tensor out(parts.dtype, std::move(parts.shape));
    std::copy(parts.content.begin(), parts.content.end(), out.bytes().begin());
    if (out.dtype() == DType::boolean)  // another value than 0 and 1 in a bool is undefined behaviour
      for (std::byte& b : out.bytes()) b = std::byte{b != std::byte{0}};
    return out;
  }
  const std::size_t numbers = parts.floats.size() + parts.doubles.size() + parts.integers.size();
  if (numbers != checked.size()) throw misfit(numbers);  // before memory is taken for the shape
  Tensor out(parts.dtype, std::move(parts.shape));
  visit_dtype(parts.dtype, [&]<class T>() {
    if constexpr (std::is_arithmetic_v<T>) {
      T* to = out.as<T>().data();
      for (const float x : parts.floats) *to++ = static_cast<T>(x);
      for (const double x : parts.doubles) *to++ = static_cast<T>(x);
      for (const std::int64_t x : parts.integers) *to++ = static_cast<T>(x);
    } else {
      throw Error::damaged("record", "tensor",
                           "elements of type " + std::string(to_string(parts.dtype)) + " as numbers");
    }
  });
  return out;
}

inline std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

inline void parse_metadata(std::span<const std::byte> message, Step& step) {
  for (wire::Reader metadata(message); metadata.next();) {
    if (metadata.field() != field::metadata_plugin) continue;
    std::string_view name;
    std::string_view content;
    for (wire::Reader plugin(metadata.bytes()); plugin.next();) {
      if (plugin.field() == field::plugin_name) name = plugin.text();
      if (plugin.field() == field::plugin_content) content = plugin.text();
    }
    const auto number = parse_integer(content);
    if (name == "mode_step" && number) step.mode_step = *number;
    if (name == "mode" && number && *number >= 1 && *number <= 4) step.mode = static_cast<Mode>(*number);
  }
}

}  // namespace detail

/// The event in `payload`, the inside of a record. Throws: anything that does not follow the format, or is not one
/// tensor.
inline Event parse_event(std::span<const std::byte> payload) {
  namespace field = detail::field;
  Event out;
  std::optional<detail::TensorParts> parts;
  for (detail::wire::Reader event(payload); event.next();) {
    if (event.field() == field::event_wall_time) out.info.wall_time = event.real();
    if (event.field() == field::event_step) out.info.step.global_step = event.integer();
    if (event.field() != field::event_summary) continue;
    for (detail::wire::Reader summary(event.bytes()); summary.next();) {
      if (summary.field() != field::summary_value) continue;
      for (detail::wire::Reader value(summary.bytes()); value.next();) {
        if (value.field() == field::value_tag) out.info.tag = value.text();
        if (value.field() == field::value_tensor) parts = detail::parse_tensor_parts(value.bytes());
        if (value.field() == field::value_metadata) detail::parse_metadata(value.bytes(), out.info.step);
      }
    }
  }
  if (!parts) throw Error::damaged("record", out.info.tag, "it holds no tensor");
  out.tensor = detail::assemble(std::move(*parts));
  return out;
}

TENSORTAP_END_NAMESPACE
