// CRC-32C (Castagnoli), the checksum of TFRecord files and of our index. The tables are the definition; what the
// processor has instructions for does the same, ten to forty times as fast.
//
//   std::uint32_t crc = tensortap::crc32c(bytes);
//   crc = tensortap::crc32c(more, crc);           // of both, one after the other
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tensortap/isa.hpp>
#include <tensortap/record/crc32c_arm.hpp>
#include <tensortap/record/crc32c_tables.hpp>
#include <tensortap/record/crc32c_x86.hpp>

namespace tensortap::inline v0 {

namespace detail {

using Crc32cKernel = std::uint32_t (*)(const std::byte* p, std::size_t size, std::uint32_t crc) noexcept;
using Crc32cKernels = std::array<Crc32cKernel, all_isas.size()>;

/// What serves each instruction set on this processor. SSE2 and AVX2 are served by the instruction of SSE4.2, which
/// x86-64 processors have had since 2010, without it by the tables; AVX-512 is served like SSE2 without VPCLMULQDQ.
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

/// The table of kernels that is consulted. Tests put kernels of their own into it.
inline Crc32cKernels& crc32c_kernels() noexcept {
  static Crc32cKernels kernels = best_crc32c_kernels();
  return kernels;
}

}  // namespace detail

/// The checksum of `bytes`, going on from `crc`, the checksum of what came before.
/// Numeric: the same under every instruction set.
inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept {
  return ~detail::crc32c_kernels()[static_cast<std::size_t>(isa())](bytes.data(), bytes.size(), ~crc);
}

/// The checksum of a and b, one after the other, from that of each and the size of b.
constexpr std::uint32_t crc32c_of_both(std::uint32_t a, std::uint32_t b, std::size_t size_of_b) noexcept {
  return detail::product_of_polynomials(a, detail::power_of_x(8 * size_of_b)) ^ b;
}

/// The checksum as TFRecord files store it: rotated and shifted, so that a checksum of data with checksums in it stays
/// good.
constexpr std::uint32_t masked(std::uint32_t crc) noexcept { return std::rotr(crc, 15) + 0xa282ead8u; }

}  // namespace tensortap::inline v0
