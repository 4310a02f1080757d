#include <tensortap/bytes/crc32c.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include <tensortap/bytes/internal/crc32c_instructions.hpp>
#include <tensortap/bytes/internal/crc32c_tables.hpp>
#include <tensortap/isa.hpp>
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

/// Returns pseudo-random bytes.
std::vector<std::byte> random_bytes(std::size_t count) {
  std::vector<std::byte> out(count);
  std::uint32_t state = 1;
  for (std::byte& b : out) b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

std::uint32_t crc_of(std::string_view text) { return tt::crc32c(std::as_bytes(std::span(text))); }

/// Returns the checksum by its definition, bit by bit.
std::uint32_t bit_by_bit(std::span<const std::byte> bytes, std::uint32_t crc = 0) {
  crc = ~crc;
  for (const std::byte b : bytes) {
    crc ^= static_cast<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

/// Returns the checksums of all prefixes of `bytes`, by the definition, from the empty one on.
std::vector<std::uint32_t> checksums_of_beginnings(std::span<const std::byte> bytes, std::uint32_t start) {
  std::vector<std::uint32_t> out = {start};
  for (const std::byte& b : bytes) out.push_back(bit_by_bit({&b, 1}, out.back()));
  return out;
}

/// Calls `check()` once for each instruction set of this processor, with that set in use.
template <class Check>
void under_every_isa(const Check& check) {
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    CAPTURE(to_string(isa));
    const tt::ScopedIsa scope(isa);
    check();
  }
}

/// Replaces a kernel, with a result that shows the call.
std::uint32_t probe(const std::byte* /*p*/, std::size_t size, std::uint32_t crc) noexcept {
  return ~(crc + static_cast<std::uint32_t>(size));
}

}  // namespace

TEST_CASE("every instruction set has a kernel, and crc32c() calls it", "[bytes][crc32c]") {
  tt::detail::Crc32cKernels& kernels = tt::detail::crc32c_kernels();
  const tt::detail::Crc32cKernels before = kernels;
  const auto data = bytes_from(300, 1, 3);
  under_every_isa([&] {
    const auto at = static_cast<std::size_t>(tt::isa());
    REQUIRE(kernels[at] != nullptr);
    kernels[at] = probe;
    const std::uint32_t crc = tt::crc32c(data, 5);
    kernels = before;
    CHECK(crc == ~5U + 300);
    CHECK(tt::crc32c(data, 5) == bit_by_bit(data, 5));
  });
}

TEST_CASE("the kernels are those for which the processor has instructions", "[bytes][crc32c]") {
  const auto kernel = [](tt::Isa isa) { return tt::detail::crc32c_kernels()[static_cast<std::size_t>(isa)]; };
  CHECK(kernel(tt::Isa::portable) == tt::detail::crc32c_by_table);
#if defined(__x86_64__)
  const bool instruction = __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
  const auto streams = instruction ? tt::detail::crc32c_by_streams : tt::detail::crc32c_by_table;
  CHECK(kernel(tt::Isa::sse2) == streams);
  CHECK(kernel(tt::Isa::avx2) == streams);
  const bool products = instruction && __builtin_cpu_supports("vpclmulqdq") != 0;
  CHECK(kernel(tt::Isa::avx512) == (products ? tt::detail::crc32c_by_products : streams));
#elif defined(__aarch64__)
  const bool instruction = tt::detail::has_crc32c_instruction();
  CHECK(kernel(tt::Isa::neon) == (instruction ? tt::detail::crc32c_by_instruction : tt::detail::crc32c_by_table));
#endif
}

TEST_CASE("the checksums of RFC 3720, appendix B.4", "[bytes][crc32c]") {
  std::vector<std::byte> read_command(48);  // an iSCSI command, the last example of the RFC
  read_command[0] = std::byte{0x01};
  read_command[1] = std::byte{0xc0};
  read_command[16] = std::byte{0x14};
  read_command[22] = std::byte{0x04};
  read_command[27] = std::byte{0x14};
  read_command[31] = std::byte{0x18};
  read_command[32] = std::byte{0x28};
  read_command[40] = std::byte{0x02};
  under_every_isa([&] {
    CHECK(tt::crc32c(bytes_from(32, 0x00, 0)) == 0x8a9136aaU);
    CHECK(tt::crc32c(bytes_from(32, 0xff, 0)) == 0x62a8ab43U);
    CHECK(tt::crc32c(bytes_from(32, 0, 1)) == 0x46dd794eU);
    CHECK(tt::crc32c(bytes_from(32, 31, -1)) == 0x113fdb5cU);
    CHECK(tt::crc32c(read_command) == 0xd9963a56U);
  });
}

TEST_CASE("the check value of the catalogue of CRC algorithms", "[bytes][crc32c]") {
  under_every_isa([] {
    CHECK(crc_of("123456789") == 0xe3069283U);
    CHECK(crc_of("") == 0);
  });
}

TEST_CASE("every size at every alignment agrees with the definition", "[bytes][crc32c]") {
  constexpr std::size_t sizes = 1100;
  const auto message = random_bytes(sizes);
  const auto expected = checksums_of_beginnings(message, 0x1234);
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> memory(sizes / 64 + 3);
  under_every_isa([&] {
    for (std::size_t offset = 0; offset < 64; ++offset) {
      std::byte* const start = memory[0].bytes + offset;
      std::memcpy(start, message.data(), sizes);
      for (std::size_t size = 0; size <= sizes; ++size)
        if (tt::crc32c({start, size}, 0x1234) != expected[size]) FAIL("offset " << offset << ", size " << size);
    }
  });
}

TEST_CASE("a checksum continues from that of a prefix of any size", "[bytes][crc32c]") {
  const auto data = random_bytes(1100);
  const std::span<const std::byte> all(data);
  const std::uint32_t expected = bit_by_bit(all);
  under_every_isa([&] {
    for (std::size_t cut = 0; cut <= all.size(); ++cut)
      if (tt::crc32c(all.subspan(cut), tt::crc32c(all.first(cut))) != expected) FAIL("cut at " << cut);
  });
}

TEST_CASE("large messages agree with the definition", "[bytes][crc32c]") {
  const auto data = random_bytes(100'000);
  const std::span<const std::byte> all(data);
  const auto expected = checksums_of_beginnings(all, 7);
  under_every_isa([&] {
    for (std::size_t size = 1100; size < 30'000; size += 61)  // past 12 KiB, where streams are longest
      if (tt::crc32c(all.first(size), 7) != expected[size]) FAIL("size " << size);
    CHECK(tt::crc32c(all, 7) == expected.back());
    std::uint32_t crc = 7;  // in pieces of growing sizes
    for (std::size_t at = 0, piece = 1; at < all.size(); at += piece, piece += 13)
      crc = tt::crc32c(all.subspan(at, std::min(piece, all.size() - at)), crc);
    CHECK(crc == expected.back());
  });
}

TEST_CASE("any flipped bit changes the checksum", "[bytes][crc32c]") {
  auto data = bytes_from(40, 3, 29);
  const std::uint32_t before = tt::crc32c(data);
  for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
    const auto mask = std::byte{1} << (bit % 8);
    data[bit / 8] ^= mask;
    CHECK(tt::crc32c(data) != before);
    data[bit / 8] ^= mask;
  }
}

TEST_CASE("masked checksums are rotated and shifted", "[bytes][crc32c]") {
  CHECK(tt::masked(0) == 0xa282ead8U);
  CHECK(tt::masked(1U << 15) == 0xa282ead9U);
  CHECK(tt::masked(1) == (1U << 17) + 0xa282ead8U);
  CHECK(tt::masked(0xffffffffU) == 0xa282ead7U);
}

TEST_CASE("the checksum of two messages follows from their checksums", "[bytes][crc32c]") {
  std::vector<std::byte> bytes(5000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 250);
  const std::span<const std::byte> all(bytes);
  for (const std::size_t cut : {0u, 1u, 8u, 63u, 64u, 1000u, 4096u, 4999u, 5000u}) {
    CAPTURE(cut);
    const auto a = all.first(cut), b = all.subspan(cut);
    CHECK(tt::crc32c_of_both(tt::crc32c(a), tt::crc32c(b), b.size()) == tt::crc32c(all));
  }
}
