// Reads records of events/.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/internal/event_fields.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline DType dtype_from_proto(std::int64_t number) {
  if (number == 7) return DType::string;  // TensorFlow's number, which smdebug never writes
  const auto* found = std::find(proto_dtypes.begin(), proto_dtypes.end(), number);
  if (found == proto_dtypes.end())
    throw Error::damaged("record", "dtype", "no element type has the number " + std::to_string(number));
  return static_cast<DType>(found - proto_dtypes.begin());
}

/// Appends the elements of a repeated numeric field, packed or not, to `out`.
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

/// The parts of a TensorProto, before the check that they agree.
struct TensorParts {
  DType dtype = DType::string;  // smdebug's strings have 0, the default
  Tensor::Shape shape;
  Bytes content;
  std::vector<std::string> strings;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;
};

inline Tensor::Shape parse_shape(Bytes message) {
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

inline TensorParts parse_tensor_parts(Bytes message) {
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

/// Returns the tensor made of `parts`. Throws: parts that do not agree with the shape.
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
    if (out.dtype() == DType::boolean)  // a bool other than 0 and 1 is undefined behaviour
      for (std::byte& b : out.bytes()) b = std::byte{b != std::byte{0}};
    return out;
  }
  const std::size_t numbers = parts.floats.size() + parts.doubles.size() + parts.integers.size();
  if (numbers != checked.size()) throw misfit(numbers);  // before the shape takes memory
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

inline void parse_metadata(Bytes message, Step& step) {
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

TENSORTAP_INLINE Event parse_event(Bytes payload) {
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
