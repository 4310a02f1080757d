// CRC-32C (Castagnoli), the checksum of TFRecord files and of the library's index. The instructions of the processor
// compute it ten to forty times as fast as tables.
//
//   std::uint32_t crc = tensortap::crc32c(bytes);
//   crc = tensortap::crc32c(more, crc);           // of both, one after the other
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the checksum of the bytes with checksum `crc` followed by `bytes`.
/// Numeric: the same under every instruction set.
std::uint32_t crc32c(Bytes bytes, std::uint32_t crc = 0) noexcept;

/// Returns the checksum of two messages, one after the other, from their checksums `a` and `b`.
std::uint32_t crc32c_of_both(std::uint32_t a, std::uint32_t b, std::size_t size_of_b) noexcept;

/// Returns the checksum in the form that TFRecord files store: rotated and shifted, because a checksum of data that
/// contains its own checksum is weak.
constexpr std::uint32_t masked(std::uint32_t crc) noexcept { return std::rotr(crc, 15) + 0xa282ead8u; }

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/bytes/internal/crc32c_impl.hpp>
#endif
