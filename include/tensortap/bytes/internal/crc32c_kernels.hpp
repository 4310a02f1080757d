// The kernels of CRC-32C by instruction set.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <tensortap/bytes/internal/crc32c_arm.hpp>
#include <tensortap/bytes/internal/crc32c_tables.hpp>
#include <tensortap/bytes/internal/crc32c_x86.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/isa.hpp>

TENSORTAP_BEGIN_NAMESPACE
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
TENSORTAP_END_NAMESPACE
