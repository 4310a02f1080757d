// The digests of S3: SHA-256 and HMAC for signatures, MD5 for checksums, and their text.
//
//   Md5 md5;
//   for (const Bytes piece : pieces) md5.add(piece);
//   const std::string content_md5 = base64_of(md5.finish());
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `bytes` in base64, with padding. Source: RFC 4648, section 4.
inline std::string base64_of(Bytes bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t here = bytes.size() - i < 3 ? bytes.size() - i : 3;
    unsigned three = 0;
    for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (k < here ? static_cast<unsigned>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= here ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

/// A digest of `Size` bytes, computed piece by piece.
template <std::size_t Size>
class MessageDigest {
 public:
  using Value = std::array<std::byte, Size>;

  /// Adds bytes. Throws: OpenSSL failed.
  void add(Bytes bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw Error::digest_failed(name_);
  }

  /// Returns the digest of the added bytes, and begins a new one. Throws: OpenSSL failed.
  Value finish() {
    Value value;
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(value.data()), &size) != 1 || size != Size)
      throw Error::digest_failed(name_);
    begin();
    return value;
  }

 protected:
  MessageDigest(std::string_view name, const EVP_MD* algorithm) : name_(name), algorithm_(algorithm) {
    if (context_ == nullptr) throw Error::digest_failed(name_);
    begin();
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };

  void begin() {
    if (EVP_DigestInit_ex(context_.get(), algorithm_, nullptr) != 1) throw Error::digest_failed(name_);
  }

  std::string_view name_;
  const EVP_MD* algorithm_;
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
};

/// SHA-256: add(), then finish().
class Sha256 : public MessageDigest<32> {
 public:
  /// Throws: OpenSSL failed.
  Sha256() : MessageDigest("SHA-256", EVP_sha256()) {}
};

/// MD5: add(), then finish(). It detects accidents, not attacks.
class Md5 : public MessageDigest<16> {
 public:
  /// Throws: OpenSSL failed, for example because only FIPS algorithms are allowed.
  Md5() : MessageDigest("MD5", EVP_md5()) {}
};

/// Returns the SHA-256 of the concatenated `pieces`. Throws: OpenSSL failed.
inline Sha256::Value sha256(std::span<const Bytes> pieces) {
  Sha256 digest;
  for (const Bytes piece : pieces) digest.add(piece);
  return digest.finish();
}

/// Returns the SHA-256 in hexadecimal.
inline std::string sha256_hex(std::span<const Bytes> pieces) { return hex_of(sha256(pieces)); }
inline std::string sha256_hex(std::string_view text) {
  const Bytes piece = bytes_of(text);
  return sha256_hex(std::span(&piece, 1));
}

/// Returns the MD5 of the concatenated `pieces`. Throws: OpenSSL failed.
inline Md5::Value md5(std::span<const Bytes> pieces) {
  Md5 digest;
  for (const Bytes piece : pieces) digest.add(piece);
  return digest.finish();
}

/// Returns the MD5 as in ETags.
inline std::string md5_hex(std::span<const Bytes> pieces) { return hex_of(md5(pieces)); }
/// Returns the MD5 as in Content-MD5.
inline std::string md5_base64(std::span<const Bytes> pieces) { return base64_of(md5(pieces)); }

/// Returns the HMAC-SHA-256 of `text` with `key`. Throws: OpenSSL failed. Source: RFC 2104.
inline Sha256::Value hmac_sha256(Bytes key, std::string_view text) {
  Sha256::Value value;
  unsigned size = 0;
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  auto* const out = reinterpret_cast<unsigned char*>(value.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), begin, text.size(), out, &size) == nullptr ||
      size != value.size())
    throw Error::digest_failed("HMAC-SHA-256");
  return value;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
