// Calls the kernel of CRC-32C for the instruction set in use.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/bytes/internal/crc32c_instructions.hpp>
#include <tensortap/bytes/internal/crc32c_tables.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/isa_in_use.hpp>
#include <tensortap/isa.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::uint32_t crc32c(Bytes bytes, std::uint32_t crc) noexcept {
  const auto isa = static_cast<std::size_t>(detail::isa_in_use().load(std::memory_order_relaxed));
  return ~detail::crc32c_kernels()[isa](bytes.data(), bytes.size(), ~crc);
}

TENSORTAP_INLINE std::uint32_t crc32c_of_both(std::uint32_t a, std::uint32_t b, std::size_t size_of_b) noexcept {
  return detail::product_of_polynomials(a, detail::power_of_x(8 * size_of_b)) ^ b;
}

TENSORTAP_END_NAMESPACE
