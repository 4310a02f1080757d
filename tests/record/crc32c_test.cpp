#include <tensortap/record/crc32c.hpp>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

std::vector<std::byte> bytes_from(std::size_t count, int first, int step) {
  std::vector<std::byte> out(count);
  for (std::byte& b : out) {
    b = static_cast<std::byte>(first);
    first += step;
  }
  return out;
}

std::uint32_t crc_of(std::string_view text) { return tt::crc32c(std::as_bytes(std::span(text))); }

/// The definition: one bit after the other.
std::uint32_t bit_by_bit(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte b : bytes) {
    crc ^= static_cast<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

}  // namespace

TEST_CASE("the checksums of RFC 3720, appendix B.4") {
  CHECK(tt::crc32c(bytes_from(32, 0x00, 0)) == 0x8a9136aaU);
  CHECK(tt::crc32c(bytes_from(32, 0xff, 0)) == 0x62a8ab43U);
  CHECK(tt::crc32c(bytes_from(32, 0, 1)) == 0x46dd794eU);
  CHECK(tt::crc32c(bytes_from(32, 31, -1)) == 0x113fdb5cU);
}

TEST_CASE("the check value of the catalogue of CRC algorithms") {
  CHECK(crc_of("123456789") == 0xe3069283U);
  CHECK(crc_of("") == 0);
}

TEST_CASE("every length at every alignment agrees with the definition") {
  std::vector<std::byte> data = bytes_from(128, 7, 37);
  for (std::size_t offset = 0; offset < 8; ++offset)
    for (std::size_t size = 0; size <= 100; ++size) {
      const auto part = std::span(data).subspan(offset, size);
      if (tt::crc32c(part) != bit_by_bit(part)) {
        CAPTURE(offset, size);
        FAIL("they differ");
      }
    }
  SUCCEED();
}

TEST_CASE("a checksum goes on from the one before") {
  const auto data = bytes_from(61, 200, 11);
  const std::span<const std::byte> all(data);
  for (std::size_t cut = 0; cut <= all.size(); ++cut)
    if (tt::crc32c(all.subspan(cut), tt::crc32c(all.first(cut))) != tt::crc32c(all)) {
      CAPTURE(cut);
      FAIL("they differ");
    }
  SUCCEED();
}

TEST_CASE("any flipped bit changes the checksum") {
  auto data = bytes_from(40, 3, 29);
  const std::uint32_t before = tt::crc32c(data);
  for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
    const auto mask = std::byte{1} << (bit % 8);
    data[bit / 8] ^= mask;
    CHECK(tt::crc32c(data) != before);
    data[bit / 8] ^= mask;
  }
}

TEST_CASE("masked checksums are rotated and shifted") {
  CHECK(tt::masked(0) == 0xa282ead8U);
  CHECK(tt::masked(1U << 15) == 0xa282ead9U);
  CHECK(tt::masked(1) == (1U << 17) + 0xa282ead8U);
  CHECK(tt::masked(0xffffffffU) == 0xa282ead7U);
}

TEST_CASE("the instruction does what the tables do, for every length and alignment") {
  std::vector<std::byte> bytes(40'000);
  std::uint32_t state = 1;
  for (std::byte& b : bytes) b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  const auto check = [&](std::size_t start, std::size_t size) {
    const auto part = std::span(bytes).subspan(start, size);
    const std::uint32_t expected = ~tensortap::detail::crc32c_by_table(part.data(), part.size(), ~0x1234u);
    if (tensortap::crc32c(part, 0x1234) != expected) FAIL("start " << start << ", size " << size);
  };
  for (std::size_t size = 0; size < 2000; ++size) check(size % 17, size);
  for (std::size_t size = 12'000; size < 13'100; size += 7) check(size % 5, size);
  check(3, 39'000);
}
