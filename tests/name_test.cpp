#include <tensortap/name.hpp>

#include <string>

#include "catch.hpp"

using tensortap::is_utf8;

namespace {

/// `code` in as many bytes as `size` says, right or not.
std::string encoded(std::uint32_t code, int size) {
  std::string out(static_cast<std::size_t>(size), '\0');
  for (int i = size - 1; i > 0; --i, code >>= 6) out[static_cast<std::size_t>(i)] = static_cast<char>(0x80 | (code & 0x3f));
  const std::uint32_t lead = size == 1 ? 0 : size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0;
  out[0] = static_cast<char>(lead | code);
  return out;
}

int shortest(std::uint32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

}  // namespace

TEST_CASE("names in any script are UTF-8", "[name]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("fc1.weight"));
  CHECK(is_utf8("gr\xc3\xb6\xc3\x9f" "e"));
  CHECK(is_utf8("\xe6\x90\x8d\xe5\xa4\xb1"));
  CHECK(is_utf8("\xf0\x9f\x93\x89 loss"));
  CHECK(is_utf8(std::string("a\0b", 3)));
}

TEST_CASE("every code point but the surrogates is UTF-8 in its shortest form", "[name]") {
  for (std::uint32_t code = 0; code <= 0x110000; ++code) {
    const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (is_utf8("x" + encoded(code, shortest(code)) + "y") != valid) {
      CAPTURE(code);
      FAIL("code point " << (valid ? "refused" : "accepted"));
    }
  }
  SUCCEED();
}

TEST_CASE("a code point in more bytes than it needs is not UTF-8", "[name]") {
  for (const std::uint32_t code : {0x00U, 0x2fU, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0xffffU})
    for (int size = shortest(code) + 1; size <= 4; ++size) {
      CAPTURE(code, size);
      CHECK_FALSE(is_utf8(encoded(code, size)));
    }
}

TEST_CASE("a sequence that is cut is not UTF-8", "[name]") {
  for (const std::uint32_t code : {0xe9U, 0x20acU, 0x1f4c9U}) {
    const std::string whole = encoded(code, shortest(code));
    for (std::size_t size = 1; size < whole.size(); ++size) {
      CAPTURE(code, size);
      CHECK_FALSE(is_utf8(whole.substr(0, size)));
      CHECK_FALSE(is_utf8(whole.substr(0, size) + "x"));
      CHECK_FALSE(is_utf8(whole.substr(size)));
    }
  }
}

TEST_CASE("bytes that begin no sequence are not UTF-8", "[name]") {
  for (int byte = 0x80; byte <= 0xff; ++byte) {
    if (byte >= 0xc2 && byte <= 0xf4) continue;
    CAPTURE(byte);
    CHECK_FALSE(is_utf8(std::string(1, static_cast<char>(byte)) + "\x80\x80\x80"));
  }
}
