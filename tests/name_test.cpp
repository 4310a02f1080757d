#include <tensortap/name.hpp>

#include <string>

#include <tensortap/error.hpp>

#include "catch.hpp"

using tensortap::escaped, tensortap::in_quotes, tensortap::is_utf8;

namespace {

/// Returns `code` encoded in `size` bytes, which may be too many.
std::string encoded(std::uint32_t code, int size) {
  std::string out(static_cast<std::size_t>(size), '\0');
  for (int i = size - 1; i > 0; --i, code >>= 6)
    out[static_cast<std::size_t>(i)] = static_cast<char>(0x80 | (code & 0x3f));
  const std::uint32_t lead = size == 1 ? 0 : size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0;
  out[0] = static_cast<char>(lead | code);
  return out;
}

int shortest(std::uint32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

}  // namespace

TEST_CASE("names in any script are UTF-8", "[base][name]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("fc1.weight"));
  CHECK(
      is_utf8("gr\xc3\xb6\xc3\x9f"
              "e"));
  CHECK(is_utf8("\xe6\x90\x8d\xe5\xa4\xb1"));
  CHECK(is_utf8("\xf0\x9f\x93\x89 loss"));
  CHECK(is_utf8(std::string("a\0b", 3)));
}

TEST_CASE("every code point except surrogates is UTF-8 in its shortest form", "[base][name]") {
  for (std::uint32_t code = 0; code <= 0x110000; ++code) {
    const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (is_utf8("x" + encoded(code, shortest(code)) + "y") != valid) {
      CAPTURE(code);
      FAIL("code point " << (valid ? "refused" : "accepted"));
    }
  }
  SUCCEED();
}

TEST_CASE("a code point in too many bytes is not UTF-8", "[base][name]") {
  for (const std::uint32_t code : {0x00U, 0x2fU, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0xffffU})
    for (int size = shortest(code) + 1; size <= 4; ++size) {
      CAPTURE(code, size);
      CHECK_FALSE(is_utf8(encoded(code, size)));
    }
}

TEST_CASE("a truncated sequence is not UTF-8", "[base][name]") {
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

TEST_CASE("a byte that cannot begin a sequence is not UTF-8", "[base][name]") {
  for (int byte = 0x80; byte <= 0xff; ++byte) {
    if (byte >= 0xc2 && byte <= 0xf4) continue;
    CAPTURE(byte);
    CHECK_FALSE(is_utf8(std::string(1, static_cast<char>(byte)) + "\x80\x80\x80"));
  }
}

TEST_CASE("names are printed unchanged except for control characters", "[base][name]") {
  CHECK(escaped("fc1.weight/\"x\" gr\xc3\xbc\xc3\x9f"
                "e \xf0\x9f\x93\x89") ==
        "fc1.weight/\"x\" gr\xc3\xbc\xc3\x9f"
        "e \xf0\x9f\x93\x89");
  CHECK(escaped("a\nb\tc\rd") == R"(a\nb\tc\x0dd)");
  CHECK(escaped("\x1b[31m") == R"(\x1b[31m)");
  CHECK(escaped(std::string("\0\x7f", 2)) == R"(\x00\x7f)");
  CHECK(escaped("\xc2\x9b"
                "31m") == R"(\x9b31m)");
  CHECK(escaped("\xc2\x80\xc2\x9f\xc2\xa0") == "\\x80\\x9f\xc2\xa0");
}

TEST_CASE("bytes that are not UTF-8 are printed escaped", "[base][name]") {
  CHECK(escaped("a\x9b[31m") == R"(a\x9b[31m)");
  CHECK(escaped("\xff\xfe") == R"(\xff\xfe)");
  CHECK(escaped("\xe2\x82") == R"(\xe2\x82)");
  CHECK(escaped("\xe2\x82x\xc2") == R"(\xe2\x82x\xc2)");
  CHECK(escaped("\xed\xa0\x80") == R"(\xed\xa0\x80)");
}

TEST_CASE("every text is printed as UTF-8 without control characters", "[base][name]") {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const std::string printed = escaped(std::string{static_cast<char>(first), static_cast<char>(second), 'x'});
      bool plain = is_utf8(printed);
      for (std::size_t i = 0; i < printed.size(); ++i) {
        const auto u = static_cast<unsigned char>(printed[i]);
        const bool c1 = u == 0xc2 && static_cast<unsigned char>(printed[i + 1]) < 0xa0;
        plain = plain && u >= 0x20 && u != 0x7f && !c1;
      }
      if (!plain) {
        CAPTURE(first, second, printed);
        FAIL("not plain");
      }
    }
  SUCCEED();
}

TEST_CASE("a long text in quotes is cut between characters", "[base][name]") {
  CHECK(in_quotes("a\nb") == R"("a\nb")");
  CHECK(in_quotes("") == "\"\"");
  CHECK(in_quotes(std::string(160, 'a')) == "\"" + std::string(160, 'a') + "\"");
  CHECK(in_quotes(std::string(161, 'a')) == "\"" + std::string(160, 'a') + "\"\xe2\x80\xa6");
  for (std::size_t before = 150; before < 170; ++before)
    for (const std::string character : {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x93\x89"}) {
      const std::string quoted = in_quotes(std::string(before, 'a') + character + std::string(100, 'b'));
      CAPTURE(before, quoted);
      CHECK(is_utf8(quoted));
      CHECK(quoted.find('\\') == std::string::npos);  // nothing was escaped, so no character was broken
    }
}
