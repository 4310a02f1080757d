// CRC-32C with the instructions that ARMv8 has for it, on processors that have them. They do what the tables in
// crc32c_tables.hpp do. Not for user code.
//
//   if (has_crc32c_instruction()) crc = crc32c_by_instruction(p, size, crc);
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>

#if defined(__aarch64__)

#include <sys/auxv.h>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline bool has_crc32c_instruction() noexcept { return (::getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

#if defined(__clang__)
#define TENSORTAP_ARM_CRC "crc"  // clang 14 knows no "+crc"
#define TENSORTAP_CRC32CX __builtin_arm_crc32cd
#define TENSORTAP_CRC32CB __builtin_arm_crc32cb
#else
#define TENSORTAP_ARM_CRC "+crc"
#define TENSORTAP_CRC32CX __builtin_aarch64_crc32cx
#define TENSORTAP_CRC32CB __builtin_aarch64_crc32cb
#endif

/// The checksum's register after `size` bytes, by the instruction for it.
__attribute__((target(TENSORTAP_ARM_CRC))) inline std::uint32_t crc32c_by_instruction(const std::byte* p,
                                                                                      std::size_t size,
                                                                                      std::uint32_t crc) noexcept {
  for (; size >= 8; size -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    crc = TENSORTAP_CRC32CX(crc, word);
  }
  for (; size > 0; --size, ++p) crc = TENSORTAP_CRC32CB(crc, static_cast<unsigned char>(*p));
  return crc;
}

#undef TENSORTAP_ARM_CRC
#undef TENSORTAP_CRC32CX
#undef TENSORTAP_CRC32CB

}  // namespace detail
TENSORTAP_END_NAMESPACE

#endif
