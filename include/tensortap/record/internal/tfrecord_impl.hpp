// Frames and unframes records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/tfrecord.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace tfrecord {

TENSORTAP_INLINE std::array<std::byte, header_size> header(std::uint64_t payload_size) noexcept {
  std::array<std::byte, header_size> out{};
  std::memcpy(out.data(), &payload_size, 8);
  const std::uint32_t crc = masked(crc32c(std::span(out).first(8)));
  std::memcpy(out.data() + 8, &crc, 4);
  return out;
}

TENSORTAP_INLINE Bytes payload(Bytes bytes, std::string_view where) {
  if (bytes.size() < header_size + footer_size)
    throw Error::damaged("record", where, "cut off (" + std::to_string(bytes.size()) + " bytes are left)");
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  if (std::memcmp(header(size).data(), bytes.data(), header_size) != 0)
    throw Error::damaged("record", where,
                         "the checksum of the length does not match (length " + std::to_string(size) + ")");
  const std::size_t room = bytes.size() - header_size - footer_size;
  if (size > room)
    throw Error::damaged(
        "record", where,
        "cut off (payload of " + std::to_string(size) + " bytes, " + std::to_string(room) + " are there)");
  const auto out = bytes.subspan(header_size, size);
  const auto footer = bytes.subspan(header_size + size, footer_size);
  if (std::memcmp(footer.data(), events_footer.data(), footer_size) == 0) return out;
  const std::uint32_t true_footer = masked(crc32c(out));
  if (std::memcmp(footer.data(), &true_footer, footer_size) != 0)
    throw Error::damaged("record", where, "the footer is neither smdebug's constant nor the payload's checksum");
  return out;
}

}  // namespace tfrecord
TENSORTAP_END_NAMESPACE
