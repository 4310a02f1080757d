// SHA-256, by which a page names the script and the style that a browser may use. For a page alone: it is not made to
// be fast, and nothing that is secret depends on it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the first 32 bits of the fraction of the root of order `order` (2 or 3) of the prime number `prime`.
inline std::uint32_t fraction_of_root(std::uint32_t prime, int order) {
  // The largest x with x^order <= prime * 2^(32 order), by bisection in exact integers: below 2^36, and its cube below
  // 2^108.
  __extension__ using Wide = unsigned __int128;
  const Wide target = static_cast<Wide>(prime) << (32 * order);
  std::uint64_t low = 0, high = std::uint64_t{1} << (order == 2 ? 37 : 36);
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    const Wide power = order == 2 ? static_cast<Wide>(middle) * middle : static_cast<Wide>(middle) * middle * middle;
    (power <= target ? low : high) = middle;
  }
  return static_cast<std::uint32_t>(low);
}

/// The constants of the standard: fractions of roots of the first 64 prime numbers.
struct Sha256Constants {
  std::array<std::uint32_t, 64> rounds{};
  std::array<std::uint32_t, 8> start{};

  Sha256Constants() {
    std::size_t found = 0;
    for (std::uint32_t n = 2; found < rounds.size(); ++n) {
      bool is_prime = true;
      for (std::uint32_t k = 2; k * k <= n && is_prime; ++k) is_prime = n % k != 0;
      if (!is_prime) continue;
      if (found < start.size()) start[found] = fraction_of_root(n, 2);
      rounds[found++] = fraction_of_root(n, 3);
    }
  }
};

/// Returns the digest of `text`. Source: FIPS 180-4.
inline std::array<std::uint8_t, 32> sha256(std::string_view text) {
  static const Sha256Constants constants;
  std::array<std::uint32_t, 8> hash = constants.start;
  std::string message(text);
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>((text.size() * 8) >> shift & 0xff);

  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 64; ++i)
      w[i / 4 % 16] = w[i / 4 % 16] << 8 | static_cast<std::uint8_t>(message[block + i]);
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = hash;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) +
                                  constants.rounds[i] + w[i];
      const std::uint32_t second =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + first;
      d = c;
      c = b;
      b = a;
      a = first + second;
    }
    const std::array<std::uint32_t, 8> next = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < next.size(); ++i) hash[i] += next[i];
  }
  std::array<std::uint8_t, 32> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

/// Returns the bytes in base 64, with padding.
inline std::string base64_of(const std::array<std::uint8_t, 32>& bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += i * 8 + k * 6 < bytes.size() * 8 ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
