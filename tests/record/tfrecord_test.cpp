#include <tensortap/record/tfrecord.hpp>

#include <span>
#include <string>

#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

using tt::bytes_of;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string framed(const std::string& payload, const std::string& footer) {
  return text_of(tt::tfrecord::header(payload.size())) + payload + footer;
}

const std::string constant_footer = "\xb3\xc0\x2d\x06";

std::string true_footer(const std::string& payload) {
  const std::uint32_t crc = tt::masked(tt::crc32c(bytes_of(payload)));
  return text_of(std::as_bytes(std::span(&crc, 1)));
}

/// Returns the reason why `record` is refused. Empty: it is accepted.
std::string refusal_of_record(const std::string& record) {
  try {
    (void)tt::tfrecord::payload(bytes_of(record), "events/x");
    return "";
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::damaged);
    return e.what();
  }
}

}  // namespace

TEST_CASE("the constant footer is the masked checksum of ten characters", "[record][tfrecord]") {
  CHECK(text_of(tt::tfrecord::events_footer) == constant_footer);
  CHECK(true_footer("0x12345678") == constant_footer);
}

TEST_CASE("a header is the length and its masked checksum", "[record][tfrecord]") {
  const std::string header = text_of(tt::tfrecord::header(0x0102030405060708ULL));
  CHECK(header.substr(0, 8) == "\x08\x07\x06\x05\x04\x03\x02\x01");
  CHECK(header.substr(8) == true_footer(header.substr(0, 8)));
}

TEST_CASE("a record with the constant footer or the true checksum is accepted", "[record][tfrecord]") {
  for (const std::string payload : {"", "x", "a payload of some bytes"}) {
    for (const auto& footer : {constant_footer, true_footer(payload)}) {
      const std::string record = framed(payload, footer);
      CHECK(text_of(tt::tfrecord::payload(bytes_of(record), "")) == payload);
      CHECK(text_of(tt::tfrecord::payload(bytes_of(record + "what follows"), "")) == payload);
    }
  }
}

TEST_CASE("a flipped bit anywhere in the header is refused", "[record][tfrecord]") {
  const std::string record = framed("payload", constant_footer);
  for (std::size_t bit = 0; bit < tt::tfrecord::header_size * 8; ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    CHECK_THAT(refusal_of_record(flipped), contains("record: \"events/x\": the checksum of the length does not match"));
  }
}

TEST_CASE("a flipped bit in the footer is refused", "[record][tfrecord]") {
  for (const auto& footer : {constant_footer, true_footer("payload")})
    for (std::size_t bit = 0; bit < 32; ++bit) {
      std::string flipped = footer;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      CAPTURE(bit);
      CHECK_THAT(refusal_of_record(framed("payload", flipped)), contains("the footer is neither"));
    }
}

TEST_CASE("the true checksum detects a flipped bit in the payload", "[record][tfrecord]") {
  CHECK_THAT(refusal_of_record(framed("paylobd", true_footer("payload"))), contains("the footer is neither"));
  CHECK(refusal_of_record(framed("paylobd", constant_footer)).empty());
}

TEST_CASE("a record cut at any byte is refused", "[record][tfrecord]") {
  const std::string record = framed("payload", constant_footer);
  for (std::size_t size = 0; size < record.size(); ++size) {
    CAPTURE(size);
    CHECK_THAT(refusal_of_record(record.substr(0, size)), contains("cut off ("));
  }
}

TEST_CASE("any length beyond the bytes is refused", "[record][tfrecord]") {
  for (const std::uint64_t length :
       {std::uint64_t{1} << 60, UINT64_MAX, UINT64_MAX - 15, UINT64_MAX - 3, std::uint64_t{8}}) {
    const std::string record = text_of(tt::tfrecord::header(length)) + "payload" + constant_footer;
    CHECK_THAT(refusal_of_record(record),
               contains("cut off (payload of " + std::to_string(length) + " bytes, 7 are there)"));
  }
}
