// CRC-32C (Castagnoli), the checksum of TFRecord files and of our index. The tables are the definition; where the CPU
// has an instruction for it, that does the same, ten times as fast.
//
//   std::uint32_t crc = tensortap::crc32c(bytes);
//   crc = tensortap::crc32c(more, crc);           // of both, one after the other
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tensortap::inline v0 {

namespace detail {

using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[0] is the definition, byte by byte; tables[k][b] is the effect of byte b followed by k zero bytes.
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

}  // namespace detail

namespace detail {

/// The checksum's register after `size` bytes, by the tables.
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

#if defined(__x86_64__)

/// What 2^`log2_zeros` zero bytes make of the register: a linear map, as tables by byte.
class Crc32cShift {
 public:
  explicit Crc32cShift(int log2_zeros) noexcept {
    std::array<std::uint32_t, 32> map{};  // what becomes of each bit
    for (std::size_t bit = 0; bit < 32; ++bit) {
      const std::uint32_t one = std::uint32_t{1} << bit;
      map[bit] = (one >> 8) ^ crc32c_tables[0][one & 0xffu];
    }
    const auto apply = [&map](std::uint32_t x) {
      std::uint32_t out = 0;
      for (std::size_t bit = 0; x != 0; x >>= 1, ++bit)
        if ((x & 1u) != 0) out ^= map[bit];
      return out;
    };
    for (int i = 0; i < log2_zeros; ++i) {  // twice the map is the map for twice the zeros
      std::array<std::uint32_t, 32> twice{};
      for (std::size_t bit = 0; bit < 32; ++bit) twice[bit] = apply(map[bit]);
      map = twice;
    }
    for (std::size_t byte = 0; byte < 4; ++byte)
      for (std::uint32_t value = 0; value < 256; ++value) tables_[byte][value] = apply(value << (8 * byte));
  }

  [[nodiscard]] std::uint32_t operator()(std::uint32_t crc) const noexcept {
    return tables_[0][crc & 0xff] ^ tables_[1][(crc >> 8) & 0xff] ^ tables_[2][(crc >> 16) & 0xff] ^
           tables_[3][crc >> 24];
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> tables_{};
};

/// Three streams at once: the instruction takes three cycles, but one can begin in each.
template <int log2_stream>
__attribute__((target("sse4.2"))) inline void crc32c_three_streams(const std::byte*& p, std::size_t& size,
                                                                   std::uint64_t& crc) noexcept {
  static const Crc32cShift shift(log2_stream);
  constexpr std::size_t stream = std::size_t{1} << log2_stream;
  for (; size >= 3 * stream; size -= 3 * stream, p += 3 * stream) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < stream; i += 8) {
      std::uint64_t a = 0;
      std::uint64_t b = 0;
      std::uint64_t c = 0;
      std::memcpy(&a, p + i, 8);
      std::memcpy(&b, p + stream + i, 8);
      std::memcpy(&c, p + 2 * stream + i, 8);
      crc = __builtin_ia32_crc32di(crc, a);
      second = __builtin_ia32_crc32di(second, b);
      third = __builtin_ia32_crc32di(third, c);
    }
    crc = shift(shift(static_cast<std::uint32_t>(crc)) ^ static_cast<std::uint32_t>(second)) ^ third;
  }
}

__attribute__((target("sse4.2"))) inline std::uint32_t crc32c_by_instruction(const std::byte* p, std::size_t size,
                                                                             std::uint32_t start) noexcept {
  std::uint64_t crc = start;
  crc32c_three_streams<12>(p, size, crc);
  crc32c_three_streams<8>(p, size, crc);
  for (; size >= 8; size -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    crc = __builtin_ia32_crc32di(crc, word);
  }
  auto out = static_cast<std::uint32_t>(crc);
  for (; size > 0; --size, ++p) out = __builtin_ia32_crc32qi(out, static_cast<unsigned char>(*p));
  return out;
}

#endif

}  // namespace detail

/// The checksum of `bytes`, going on from `crc`, the checksum of what came before.
inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~detail::crc32c_by_instruction(bytes.data(), bytes.size(), ~crc);
#endif
  return ~detail::crc32c_by_table(bytes.data(), bytes.size(), ~crc);
}

/// The checksum as TFRecord files store it: rotated and shifted, so that a checksum of data with checksums in it stays
/// good.
constexpr std::uint32_t masked(std::uint32_t crc) noexcept { return std::rotr(crc, 15) + 0xa282ead8u; }

}  // namespace tensortap::inline v0
