#include <tensortap/net/aws/internal/digest.hpp>

#include <array>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("bytes are written as hexadecimal and base64 text", "[net][digest]") {
  CHECK(hex_of(bytes_of("")) == "");
  CHECK(hex_of(bytes_of(std::string("\0\x0f\xf0\xff", 4))) == "000ff0ff");
  // RFC 4648, section 10
  CHECK(base64_of(bytes_of("")) == "");
  CHECK(base64_of(bytes_of("f")) == "Zg==");
  CHECK(base64_of(bytes_of("fo")) == "Zm8=");
  CHECK(base64_of(bytes_of("foo")) == "Zm9v");
  CHECK(base64_of(bytes_of("foob")) == "Zm9vYg==");
  CHECK(base64_of(bytes_of("fooba")) == "Zm9vYmE=");
  CHECK(base64_of(bytes_of("foobar")) == "Zm9vYmFy");
  CHECK(base64_of(bytes_of("\xfb\xff\xbf")) == "+/+/");
}

TEST_CASE("SHA-256 matches the examples of FIPS 180-4", "[net][digest]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("MD5 matches the examples of RFC 1321", "[net][digest]") {
  const auto of = [](std::string_view text) {
    const std::array pieces = {bytes_of(text)};
    return md5_hex(pieces);
  };
  CHECK(of("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(of("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  const std::array pieces = {bytes_of("message digest")};
  CHECK(md5_base64(pieces) == "+WtpfXy3k41SWi8xqvFh0A==");
}

TEST_CASE("a digest does not depend on the sizes of the pieces", "[net][digest]") {
  const std::vector<Bytes> pieces = {bytes_of("mes"), Bytes(), bytes_of("sage"), bytes_of(" digest")};
  CHECK(sha256_hex(pieces) == sha256_hex("message digest"));
  CHECK(md5_hex(pieces) == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(sha256_hex(std::vector<Bytes>()) == sha256_hex(""));
}

TEST_CASE("a finished digest starts over", "[net][digest]") {
  Md5 md5;
  md5.add(bytes_of("message digest"));
  const auto first = md5.finish();
  CHECK(hex_of(md5.finish()) == "d41d8cd98f00b204e9800998ecf8427e");
  md5.add(bytes_of("message digest"));
  CHECK(md5.finish() == first);
}

TEST_CASE("HMAC-SHA-256 matches the examples of RFC 4231", "[net][digest]") {
  CHECK(hex_of(hmac_sha256(bytes_of(std::string(20, '\x0b')), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex_of(hmac_sha256(bytes_of("Jefe"), "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex_of(hmac_sha256(bytes_of(std::string(131, '\xaa')),
                           "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hex_of(hmac_sha256(Bytes(), "")) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
