// Bytes and numbers in hexadecimal.
//
//   std::string text = tensortap::hex_of(tensortap::bytes_of("\x01\xff"));   // "01ff"
//   text = tensortap::hex_of(std::uint32_t{0xbeef});                         // "0000beef"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The case of the digits a to f.
enum class HexCase : bool { lower, upper };

/// Returns the digit of the lowest four bits of `value`.
constexpr char hex_digit(unsigned value, HexCase letters = HexCase::lower) noexcept {
  return (letters == HexCase::lower ? "0123456789abcdef" : "0123456789ABCDEF")[value & 15];
}

/// Appends the two digits of `byte` to `out`.
inline void append_hex(std::string& out, std::byte byte, HexCase letters = HexCase::lower) {
  const auto value = static_cast<unsigned>(byte);
  out += hex_digit(value >> 4, letters);
  out += hex_digit(value, letters);
}

/// Returns the digits of `bytes`, two for each byte.
std::string hex_of(Bytes bytes, HexCase letters = HexCase::lower);

/// Returns the eight digits of `value`, the highest first.
std::string hex_of(std::uint32_t value, HexCase letters = HexCase::lower);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/bytes/internal/hex_impl.hpp>
#endif
