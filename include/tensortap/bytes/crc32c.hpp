// CRC-32C (Castagnoli), the checksum of TFRecord files and of our index. The tables are the definition; what the
// processor has instructions for does the same, ten to forty times as fast.
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

/// The checksum of `bytes`, going on from `crc`, the checksum of what came before.
/// Numeric: the same under every instruction set.
std::uint32_t crc32c(Bytes bytes, std::uint32_t crc = 0) noexcept;

/// The checksum of a and b, one after the other, from that of each and the size of b.
std::uint32_t crc32c_of_both(std::uint32_t a, std::uint32_t b, std::size_t size_of_b) noexcept;

/// The checksum as TFRecord files store it: rotated and shifted, so that a checksum of data with checksums in it stays
/// good.
constexpr std::uint32_t masked(std::uint32_t crc) noexcept { return std::rotr(crc, 15) + 0xa282ead8u; }

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/bytes/internal/crc32c_impl.hpp>
#endif
