// The definition of CRC-32C by tables, and arithmetic on polynomials. Tests compare every kernel with the tables; they
// also serve processors without an instruction for CRC-32C.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Makes the tables. tables[0] is the definition, for one byte; tables[k][b] is the effect of byte b followed by k zero
/// bytes.
constexpr Crc32cTables make_crc32c_tables() noexcept {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xffu];
  return tables;
}

inline constexpr Crc32cTables crc32c_tables = make_crc32c_tables();

// A register of n bits is a polynomial: bit i is the coefficient of x^(n - 1 - i), so that the lowest bit is the
// highest power.

/// Returns a * b modulo the polynomial of CRC-32C.
constexpr std::uint32_t product_of_polynomials(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (; b != 0; b <<= 1) {
    if (b >> 31 != 0) product ^= a;
    a = (a >> 1) ^ ((a & 1u) != 0 ? 0x82f63b78u : 0u);
  }
  return product;
}

/// Returns x^n modulo the polynomial of CRC-32C.
constexpr std::uint32_t power_of_x(std::size_t n) noexcept {
  std::uint32_t power = 0x80000000u;
  for (std::uint32_t square = 0x40000000u; n > 0; n >>= 1) {
    if (n % 2 != 0) power = product_of_polynomials(power, square);
    square = product_of_polynomials(square, square);
  }
  return power;
}

/// Returns the register after `size` bytes, by the tables.
inline std::uint32_t crc32c_by_table(const std::byte* p, std::size_t size, std::uint32_t crc) noexcept {
  static_assert(std::endian::native == std::endian::little);
  const auto& t = crc32c_tables;
  for (; size >= 8; size -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = t[7][word & 0xff] ^ t[6][(word >> 8) & 0xff] ^ t[5][(word >> 16) & 0xff] ^ t[4][(word >> 24) & 0xff] ^
          t[3][(word >> 32) & 0xff] ^ t[2][(word >> 40) & 0xff] ^ t[1][(word >> 48) & 0xff] ^ t[0][word >> 56];
  }
  for (; size > 0; --size, ++p) crc = (crc >> 8) ^ t[0][(crc ^ static_cast<std::uint32_t>(*p)) & 0xffu];
  return crc;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
