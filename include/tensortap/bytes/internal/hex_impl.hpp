// Writes bytes and numbers in hexadecimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/hex.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string hex_of(Bytes bytes, HexCase letters) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) append_hex(out, byte, letters);
  return out;
}

TENSORTAP_INLINE std::string hex_of(std::uint32_t value, HexCase letters) {
  std::string out(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4) out[i] = hex_digit(value, letters);
  return out;
}

TENSORTAP_END_NAMESPACE
