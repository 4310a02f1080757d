// The part of the wire format of Protocol Buffers that events need: no schema, no groups.
// Source: the Protocol Buffers encoding documentation.
//
//   std::string message;
//   wire::put_integer(message, 2, 300);
//   for (wire::Reader reader(bytes_of(message)); reader.next();) std::cout << reader.field();
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::wire {

/// The encoding of a field's value. The numbers are the format's.
enum class Type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// Returns the bytes of `value` as a varint.
constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

inline void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline void put_tag(std::string& out, std::uint32_t field, Type type) {
  put_varint(out, field << 3 | static_cast<std::uint32_t>(type));
}

/// Appends field `field` with an integer, unless it is 0, which proto3 leaves out.
inline void put_integer(std::string& out, std::uint32_t field, std::int64_t value) {
  if (value == 0) return;
  put_tag(out, field, Type::varint);
  put_varint(out, static_cast<std::uint64_t>(value));
}

/// Returns the bytes of a field with a double and a number below 16: none for +0, which proto3 leaves out.
inline std::size_t double_size(double value) noexcept { return std::bit_cast<std::uint64_t>(value) == 0 ? 0 : 9; }

/// Appends field `field` with a double, unless it is +0.
inline void put_double(std::string& out, std::uint32_t field, double value) {
  if (double_size(value) == 0) return;
  char raw[8];
  std::memcpy(raw, &value, 8);
  put_tag(out, field, Type::fixed64);
  out.append(raw, 8);
}

/// Appends the beginning of field `field`, whose content of `size` bytes follows.
inline void put_length(std::string& out, std::uint32_t field, std::size_t size) {
  put_tag(out, field, Type::bytes);
  put_varint(out, size);
}

/// Appends field `field` with bytes or a message.
inline void put_bytes(std::string& out, std::uint32_t field, std::string_view content) {
  put_length(out, field, content.size());
  out += content;
}

/// An iterator over the fields of a message. It never reads outside of the message.
class Reader {
 public:
  explicit Reader(Bytes message) : rest_(message) {}

  /// Moves to the next field. Returns false at the end. Throws: a message that is cut off or has an unknown encoding.
  bool next() {
    if (rest_.empty()) return false;
    const std::uint64_t tag = varint();
    field_ = static_cast<std::uint32_t>(tag >> 3);
    type_ = static_cast<Type>(tag & 7);
    if (tag >> 3 == 0 || tag >> 32 != 0) fail("a field number is out of range");
    switch (type_) {
      case Type::varint: integer_ = varint(); break;
      case Type::fixed64: content_ = take(8); break;
      case Type::bytes: content_ = take(varint()); break;
      case Type::fixed32: content_ = take(4); break;
      default: fail("a field has an unknown encoding");
    }
    return true;
  }

  [[nodiscard]] std::uint32_t field() const noexcept { return field_; }

  /// Returns the value of a varint field. Throws: the field has another encoding.
  [[nodiscard]] std::int64_t integer() const {
    require(Type::varint);
    return static_cast<std::int64_t>(integer_);
  }
  [[nodiscard]] double real() const {
    require(Type::fixed64);
    double value = 0;
    std::memcpy(&value, content_.data(), 8);
    return value;
  }
  [[nodiscard]] Bytes bytes() const {
    require(Type::bytes);
    return content_;
  }
  [[nodiscard]] std::string_view text() const { return text_of(bytes()); }
  /// Returns the raw content of a field of fixed size or with a length: the forms of unpacked and packed numbers.
  [[nodiscard]] Bytes content() const noexcept { return content_; }
  [[nodiscard]] Type type() const noexcept { return type_; }

  /// Reads a varint at the current position, such as an element of a packed field.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint64_t>(take(1)[0]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number has more than ten bytes");
  }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

 private:
  [[noreturn]] static void fail(std::string_view cause) { throw Error::damaged("record", "protobuf", cause); }

  void require(Type type) const {
    if (type_ != type) fail("field " + std::to_string(field_) + " has the wrong encoding");
  }

  Bytes take(std::uint64_t size) {
    if (size > rest_.size()) fail("a field is cut off");
    const auto out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }

  Bytes rest_;
  Bytes content_;
  std::uint64_t integer_ = 0;
  std::uint32_t field_ = 0;
  Type type_ = Type::varint;
};

}  // namespace detail::wire
TENSORTAP_END_NAMESPACE
