// TFRecord framing: 8 bytes of payload length, 4 bytes of its masked CRC-32C, the payload, 4 bytes of footer.
// In events/ the footer is a constant (smdebug refuses all others), in TensorBoard files the payload's true checksum.
// Our own checksum of the payload is in the index.
//
//   const auto frame = tensortap::tfrecord::header(payload.size());
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace tfrecord {

inline constexpr std::size_t header_size = 12;
inline constexpr std::size_t footer_size = 4;

/// The last bytes of every record of events/: the masked CRC-32C of the ten characters "0x12345678".
inline constexpr std::array<std::byte, footer_size> events_footer = {std::byte{0xb3}, std::byte{0xc0}, std::byte{0x2d},
                                                                     std::byte{0x06}};

/// Returns the first 12 bytes of a record.
std::array<std::byte, header_size> header(std::uint64_t payload_size) noexcept;

/// Returns the payload of the record at the beginning of `bytes`. The footer may be the constant or the true checksum.
/// Messages name `where`. Throws: less than a whole record, a wrong checksum of the length, a wrong footer.
Bytes payload(Bytes bytes, std::string_view where);

}  // namespace tfrecord
TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/tfrecord_impl.hpp>
#endif
