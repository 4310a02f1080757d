// CRC-32C with the instructions of the processor, and the table of kernels by instruction set. On x86-64: the
// instruction for CRC-32C (SSE4.2) and the product of polynomials (PCLMULQDQ), 64 bytes at a time with VPCLMULQDQ. On
// ARMv8: the instruction for CRC-32C. All kernels return the same bits as the tables in crc32c_tables.hpp.
#pragma once

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/bytes/internal/crc32c_tables.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/vector_part.hpp>
#include <tensortap/isa.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

#if defined(__x86_64__)

inline bool has_crc32c_instruction() noexcept {
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
}

/// Returns whether the processor can multiply 64 bytes at once. Only valid together with AVX-512.
inline bool has_wide_products() noexcept {
  return has_crc32c_instruction() && __builtin_cpu_supports("vpclmulqdq") != 0;
}

// Registers are polynomials as in crc32c_tables.hpp. The product of two registers of 64 bits has 127 bits, so that the
// instruction returns the product times x. Source: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ", Intel 2009.

using Pair64 = long long __attribute__((vector_size(16)));
using Octet64 = long long __attribute__((vector_size(64)));

/// Returns the register after `size` bytes. For short messages: it has no stack frame, which would cost 1.5 ns.
__attribute__((target("sse4.2"))) inline std::uint32_t crc32c_by_words(const std::byte* p, std::size_t size,
                                                                       std::uint32_t start) noexcept {
  std::uint64_t crc = start;
  for (; size >= 8; size -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    crc = __builtin_ia32_crc32di(crc, word);
  }
  auto out = static_cast<std::uint32_t>(crc);
  if ((size & 4) != 0) {
    std::uint32_t half = 0;
    std::memcpy(&half, p, 4);
    out = __builtin_ia32_crc32si(out, half);
    p += 4;
  }
  for (size &= 3; size > 0; --size, ++p) out = __builtin_ia32_crc32qi(out, static_cast<unsigned char>(*p));
  return out;
}

/// Reads blocks of three streams at once while they fit: the instruction takes three cycles, but the processor starts
/// one in each cycle.
template <std::size_t Stream>
__attribute__((target("sse4.2,pclmul"))) inline void crc32c_three_streams(const std::byte*& p, std::size_t& size,
                                                                          std::uint64_t& crc) noexcept {
  // The bytes behind a stream multiply its register by a power of x. The exponent is 33 less, because the product of
  // two registers of 32 bits in one of 64 bits adds 1, and the instruction that reduces it adds 32.
  constexpr long long by_two = power_of_x(16 * Stream - 33);
  constexpr long long by_one = power_of_x(8 * Stream - 33);
  for (; size >= 3 * Stream; size -= 3 * Stream, p += 3 * Stream) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < Stream; i += 8) {
      std::uint64_t a = 0;
      std::uint64_t b = 0;
      std::uint64_t c = 0;
      std::memcpy(&a, p + i, 8);
      std::memcpy(&b, p + Stream + i, 8);
      std::memcpy(&c, p + 2 * Stream + i, 8);
      crc = __builtin_ia32_crc32di(crc, a);
      second = __builtin_ia32_crc32di(second, b);
      third = __builtin_ia32_crc32di(third, c);
    }
    const Pair64 moved = __builtin_ia32_pclmulqdq128(Pair64{static_cast<long long>(crc), 0}, Pair64{by_two, 0}, 0) ^
                         __builtin_ia32_pclmulqdq128(Pair64{static_cast<long long>(second), 0}, Pair64{by_one, 0}, 0);
    crc = __builtin_ia32_crc32di(0, static_cast<std::uint64_t>(moved[0])) ^ third;
  }
}

/// Returns the register after `size` bytes. For messages of any size.
__attribute__((target("sse4.2,pclmul"))) inline std::uint32_t crc32c_by_streams(const std::byte* p, std::size_t size,
                                                                                std::uint32_t start) noexcept {
  if (size < 192) return crc32c_by_words(p, size, start);
  std::uint64_t crc = start;
  crc32c_three_streams<4096>(p, size, crc);  // one page each: 1.7 times as fast from memory as 1024
  crc32c_three_streams<512>(p, size, crc);
  crc32c_three_streams<64>(p, size, crc);
  return crc32c_by_words(p, size, static_cast<std::uint32_t>(crc));
}

/// Folds 64 bytes of a message, four times 16, over a distance of `Bytes` bytes, and adds them to `next`.
template <std::size_t Bytes>
__attribute__((target("avx512f,vpclmulqdq"))) inline Octet64 moved_on(Octet64 x, Octet64 next) noexcept {
  constexpr long long low = power_of_x(8 * Bytes + 31);  // the low half is 64 bits further from the end
  constexpr long long high = power_of_x(8 * Bytes - 33);
  constexpr Octet64 by = {low, high, low, high, low, high, low, high};
#if defined(__clang__)
  return __builtin_ia32_pclmulqdq512(x, by, 0x00) ^ __builtin_ia32_pclmulqdq512(x, by, 0x11) ^ next;
#else
  return __builtin_ia32_vpclmulqdq_v8di(x, by, 0x00) ^ __builtin_ia32_vpclmulqdq_v8di(x, by, 0x11) ^ next;
#endif
}

/// Does the same with 16 bytes.
template <std::size_t Bytes>
__attribute__((target("pclmul"))) inline Pair64 moved_on(Pair64 x, Pair64 next) noexcept {
  constexpr Pair64 by = {power_of_x(8 * Bytes + 31), power_of_x(8 * Bytes - 33)};
  return __builtin_ia32_pclmulqdq128(x, by, 0x00) ^ __builtin_ia32_pclmulqdq128(x, by, 0x11) ^ next;
}

__attribute__((target("avx512f"))) inline Octet64 octet_at(const std::byte* p) noexcept {
  Octet64 out;
  std::memcpy(&out, p, sizeof out);
  return out;
}

/// Returns the register after `size` bytes, by products of 64 bytes. Reads short messages by words, because products
/// take longer for them.
__attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2"))) inline std::uint32_t crc32c_by_products(
    const std::byte* p, std::size_t size, std::uint32_t crc) noexcept {
  if (size < 192) return crc32c_by_words(p, size, crc);
  const Octet64 start = {crc};
  Octet64 a = octet_at(p) ^ start;
  if (size >= 512) {
    Octet64 b = octet_at(p + 64);
    Octet64 c = octet_at(p + 128);
    Octet64 d = octet_at(p + 192);
    for (p += 256, size -= 256; size >= 256; p += 256, size -= 256) {
      a = moved_on<256>(a, octet_at(p));
      b = moved_on<256>(b, octet_at(p + 64));
      c = moved_on<256>(c, octet_at(p + 128));
      d = moved_on<256>(d, octet_at(p + 192));
    }
    a = moved_on<64>(moved_on<64>(moved_on<64>(a, b), c), d);
  } else {
    p += 64;
    size -= 64;
  }
  for (; size >= 64; p += 64, size -= 64) a = moved_on<64>(a, octet_at(p));
  Pair64 last = TENSORTAP_VECTOR_PART(Pair64, a, 3, 6, 7);
  last = moved_on<16>(TENSORTAP_VECTOR_PART(Pair64, a, 2, 4, 5), last);
  last = moved_on<32>(TENSORTAP_VECTOR_PART(Pair64, a, 1, 2, 3), last);
  last = moved_on<48>(TENSORTAP_VECTOR_PART(Pair64, a, 0, 0, 1), last);
  std::uint64_t out = __builtin_ia32_crc32di(0, static_cast<std::uint64_t>(last[0]));
  out = __builtin_ia32_crc32di(out, static_cast<std::uint64_t>(last[1]));
  return crc32c_by_words(p, size, static_cast<std::uint32_t>(out));
}

#elif defined(__aarch64__)

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

/// Returns the register after `size` bytes, by the instruction for CRC-32C.
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

#endif

using Crc32cKernel = std::uint32_t (*)(const std::byte* p, std::size_t size, std::uint32_t crc) noexcept;
using Crc32cKernels = std::array<Crc32cKernel, all_isas.size()>;

/// Returns the kernel of each instruction set on this processor. SSE2 and AVX2 use the instruction of SSE4.2, which
/// x86-64 processors have had since 2010, or else the tables. AVX-512 without VPCLMULQDQ does the same as SSE2.
inline Crc32cKernels best_crc32c_kernels() noexcept {
  Crc32cKernels kernels{};
  kernels.fill(crc32c_by_table);
#if defined(__x86_64__)
  if (has_crc32c_instruction())
    for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512})
      kernels[static_cast<std::size_t>(isa)] = crc32c_by_streams;
  if (has_wide_products()) kernels[static_cast<std::size_t>(Isa::avx512)] = crc32c_by_products;
#elif defined(__aarch64__)
  if (has_crc32c_instruction()) kernels[static_cast<std::size_t>(Isa::neon)] = crc32c_by_instruction;
#endif
  return kernels;
}

/// Returns the table of kernels in use. Tests replace its entries.
inline Crc32cKernels& crc32c_kernels() noexcept {
  static Crc32cKernels kernels = best_crc32c_kernels();
  return kernels;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
