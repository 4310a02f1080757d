#include <tensortap/record/internal/wire.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>

#include "catch.hpp"

namespace tt = tensortap;
namespace wire = tensortap::detail::wire;

namespace {

using tt::bytes_of;

/// Returns the number of fields of `message`.
int fields_in(const std::string& message) {
  int fields = 0;
  for (wire::Reader reader(bytes_of(message)); reader.next();) ++fields;
  return fields;
}

std::string varint(std::uint64_t value) {
  std::string out;
  wire::put_varint(out, value);
  return out;
}

std::string tag(std::uint64_t field, unsigned type) { return varint(field << 3 | type); }

}  // namespace

TEST_CASE("varints of every size are written in the fewest bytes and read back", "[record][wire]") {
  CHECK(varint(0) == std::string(1, '\0'));
  CHECK(varint(300) == "\xac\x02");
  CHECK(varint(UINT64_MAX) == "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  for (unsigned bits = 0; bits < 64; ++bits)
    for (const std::uint64_t value :
         {(std::uint64_t{1} << bits) - 1, std::uint64_t{1} << bits, std::uint64_t{3} << bits}) {
      const std::string text = varint(value);
      CAPTURE(value);
      CHECK(text.size() == wire::varint_size(value));
      wire::Reader reader(bytes_of(text));
      CHECK(reader.varint() == value);
      CHECK(reader.empty());
    }
}

TEST_CASE("negative integers take ten bytes", "[record][wire]") {
  std::string message;
  wire::put_integer(message, 1, -1);
  CHECK(message == "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  wire::Reader reader(bytes_of(message));
  REQUIRE(reader.next());
  CHECK(reader.integer() == -1);
}

TEST_CASE("a varint of ten bytes is accepted, one of eleven bytes is refused", "[record][wire]") {
  CHECK(fields_in(tag(1, 0) + std::string(9, '\x80') + '\x01') == 1);
  CHECK_THROWS_WITH(fields_in(tag(1, 0) + std::string(10, '\x80') + '\x01'),
                    contains("a number has more than ten bytes"));
  CHECK_THROWS_WITH(fields_in(std::string(20, '\xff')), contains("a number has more than ten bytes"));
}

TEST_CASE("a varint with superfluous bytes is read", "[record][wire]") {
  const std::string message = tag(1, 0) + "\x85\x80\x80" + std::string(1, '\0');
  wire::Reader reader(bytes_of(message));
  REQUIRE(reader.next());
  CHECK(reader.integer() == 5);
}

TEST_CASE("a message leaves proto3 defaults out", "[record][wire]") {
  std::string message;
  wire::put_integer(message, 1, 0);
  wire::put_double(message, 2, 0.0);
  CHECK(message.empty());
  wire::put_double(message, 2, -0.0);
  CHECK(message.size() == 9);
}

TEST_CASE("doubles keep their bits", "[record][wire]") {
  for (const double value : {1.25, -0.0, std::numeric_limits<double>::denorm_min(), -HUGE_VAL}) {
    std::string message;
    wire::put_double(message, 3, value);
    wire::Reader reader(bytes_of(message));
    REQUIRE(reader.next());
    CHECK(reader.field() == 3);
    CHECK(reader.real() == value);
    CHECK(std::signbit(reader.real()) == std::signbit(value));
  }
}

TEST_CASE("a field of bytes is equal to its length and its content", "[record][wire]") {
  std::string message;
  wire::put_bytes(message, 16, "hello");
  CHECK(message == "\x82\x01\x05hello");
  std::string by_length;
  wire::put_length(by_length, 16, 5);
  CHECK(by_length + "hello" == message);
  wire::Reader reader(bytes_of(message));
  REQUIRE(reader.next());
  CHECK(reader.text() == "hello");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a message cut within a field is refused", "[record][wire]") {
  std::string message;
  std::vector<std::size_t> ends = {0};
  const auto end = [&] { ends.push_back(message.size()); };
  wire::put_integer(message, 1, 1 << 20), end();
  wire::put_double(message, 2, 1.0), end();
  wire::put_bytes(message, 3000, "some bytes"), end();
  message += tag(4, 5) + "abcd", end();
  REQUIRE(fields_in(message) == 4);
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    if (std::find(ends.begin(), ends.end(), size) != ends.end()) {
      CHECK_NOTHROW(fields_in(message.substr(0, size)));
    } else {
      CHECK_THROWS_WITH(fields_in(message.substr(0, size)), contains("record: \"protobuf\": a field is cut off"));
    }
  }
}

TEST_CASE("any length beyond the message is refused", "[record][wire]") {
  for (const std::uint64_t length : {std::uint64_t{6}, std::uint64_t{1} << 32, std::uint64_t{1} << 60, UINT64_MAX})
    CHECK_THROWS_WITH(fields_in(tag(1, 2) + varint(length) + "hello"), contains("a field is cut off"));
}

TEST_CASE("field numbers are 1 to 2^29 - 1", "[record][wire]") {
  CHECK(fields_in(tag((1U << 29) - 1, 0) + varint(1)) == 1);
  CHECK_THROWS_WITH(fields_in(tag(0, 0) + varint(1)), contains("a field number is out of range"));
  CHECK_THROWS_WITH(fields_in(tag(1U << 29, 0) + varint(1)), contains("a field number is out of range"));
  CHECK_THROWS_WITH(fields_in(tag((std::uint64_t{1} << 32) + 1, 0) + varint(1)),
                    contains("a field number is out of range"));
  CHECK_THROWS_WITH(fields_in(varint(UINT64_MAX)), contains("a field number is out of range"));
}

TEST_CASE("groups and unknown encodings are refused", "[record][wire]") {
  for (const unsigned type : {3U, 4U, 6U, 7U}) {
    CAPTURE(type);
    CHECK_THROWS_WITH(fields_in(tag(1, type) + "        "), contains("a field has an unknown encoding"));
  }
}

TEST_CASE("reading a field with another encoding is refused", "[record][wire]") {
  const std::string message = tag(7, 0) + varint(1) + tag(8, 2) + varint(0);
  wire::Reader reader(bytes_of(message));
  REQUIRE(reader.next());
  CHECK_THROWS_WITH(reader.bytes(), contains("field 7 has the wrong encoding"));
  CHECK_THROWS_WITH(reader.text(), contains("field 7 has the wrong encoding"));
  CHECK_THROWS_WITH(reader.real(), contains("field 7 has the wrong encoding"));
  REQUIRE(reader.next());
  CHECK_THROWS_WITH(reader.integer(), contains("field 8 has the wrong encoding"));
}
