// Writes structures in Thrift's compact protocol, which Parquet describes its pages and columns with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Appends an unsigned number, seven bits a byte.
inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

/// A structure: its fields are written in the order of their numbers.
class ThriftStruct {
 public:
  void add_i32(int field, std::int32_t value) { add_integer(field, type_i32, value); }
  void add_i64(int field, std::int64_t value) { add_integer(field, type_i64, value); }

  void add_string(int field, std::string_view text) {
    begin(field, type_binary);
    append_binary(text);
  }

  void add_struct(int field, const ThriftStruct& value) {
    begin(field, type_struct);
    bytes_ += value.finished();
  }

  void add_list(int field, const std::vector<std::int32_t>& values) {
    begin_list(field, type_i32, values.size());
    for (const std::int32_t value : values) append_varint(bytes_, zigzag(value));
  }

  void add_list(int field, const std::vector<std::string_view>& values) {
    begin_list(field, type_binary, values.size());
    for (const std::string_view value : values) append_binary(value);
  }

  void add_list(int field, const std::vector<ThriftStruct>& values) {
    begin_list(field, type_struct, values.size());
    for (const ThriftStruct& value : values) bytes_ += value.finished();
  }

  /// Returns the bytes, with the mark of the end.
  [[nodiscard]] std::string finished() const { return bytes_ + '\0'; }

 private:
  static constexpr unsigned type_i32 = 5, type_i64 = 6, type_binary = 8, type_list = 9, type_struct = 12;

  static std::uint64_t zigzag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0);
  }

  void begin(int field, unsigned type) {  // the numbers of Parquet's fields are at most 15 apart
    bytes_ += static_cast<char>(static_cast<unsigned>(field - last_) << 4 | type);
    last_ = field;
  }

  void add_integer(int field, unsigned type, std::int64_t value) {
    begin(field, type);
    append_varint(bytes_, zigzag(value));
  }

  void begin_list(int field, unsigned type, std::size_t size) {
    begin(field, type_list);
    constexpr std::size_t short_list = 15;
    bytes_ += static_cast<char>((size < short_list ? size : short_list) << 4 | type);
    if (size >= short_list) append_varint(bytes_, size);
  }

  void append_binary(std::string_view text) {
    append_varint(bytes_, text.size());
    bytes_ += text;
  }

  std::string bytes_;
  int last_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
