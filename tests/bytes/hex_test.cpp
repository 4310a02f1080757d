#include <tensortap/bytes/hex.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("every byte has two digits, the higher one first", "[bytes][hex]") {
  for (unsigned value = 0; value < 256; ++value) {
    std::string lower, upper;
    tt::append_hex(lower, std::byte(value));
    tt::append_hex(upper, std::byte(value), tt::HexCase::upper);
    REQUIRE(lower.size() == 2);
    CHECK(std::stoul(lower, nullptr, 16) == value);
    CHECK(std::stoul(upper, nullptr, 16) == value);
    CHECK(lower.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(upper.find_first_not_of("0123456789ABCDEF") == std::string::npos);
  }
}

TEST_CASE("bytes in hexadecimal", "[bytes][hex]") {
  CHECK(tt::hex_of(tt::Bytes{}).empty());
  const std::vector<std::byte> bytes = {std::byte{0}, std::byte{0x0f}, std::byte{0xf0}, std::byte{0xab}};
  CHECK(tt::hex_of(bytes) == "000ff0ab");
  CHECK(tt::hex_of(bytes, tt::HexCase::upper) == "000FF0AB");
  CHECK(tt::hex_of(tt::bytes_of("Az")) == "417a");
}

TEST_CASE("a number of 32 bits has eight digits", "[bytes][hex]") {
  CHECK(tt::hex_of(std::uint32_t{0}) == "00000000");
  CHECK(tt::hex_of(std::uint32_t{0xbeef}) == "0000beef");
  CHECK(tt::hex_of(std::uint32_t{0x89abcdef}, tt::HexCase::upper) == "89ABCDEF");
}

TEST_CASE("a digit is that of the lowest four bits", "[bytes][hex]") {
  STATIC_REQUIRE(tt::hex_digit(0) == '0');
  STATIC_REQUIRE(tt::hex_digit(0x1a) == 'a');
  STATIC_REQUIRE(tt::hex_digit(0xff, tt::HexCase::upper) == 'F');
}
