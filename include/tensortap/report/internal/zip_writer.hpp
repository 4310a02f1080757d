// Writes a ZIP archive of stored files to a stream, without going back: sizes and checksums follow each file, and its
// directory, which is what readers use, comes last. Always with the fields of 64 bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the CRC-32 of ZIP of the bytes behind those of `crc`.
inline std::uint32_t zip_crc32(Bytes bytes, std::uint32_t crc = 0) {
  static const auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> out{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ ((c & 1) != 0 ? 0xedb88320U : 0);
      out[0][i] = c;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::uint32_t i = 0; i < 256; ++i) out[k][i] = out[k - 1][i] >> 8 ^ out[0][out[k - 1][i] & 0xff];
    return out;
  }();
  crc = ~crc;
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return std::to_integer<std::uint32_t>(bytes[i + k]); };
  for (; i + 8 <= bytes.size(); i += 8) {  // eight bytes a round
    const std::uint32_t low = crc ^ (at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24);
    crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
          tables[3][at(4)] ^ tables[2][at(5)] ^ tables[1][at(6)] ^ tables[0][at(7)];
  }
  for (; i < bytes.size(); ++i) crc = crc >> 8 ^ tables[0][(crc ^ at(0)) & 0xff];
  return ~crc;
}

class ZipWriter {
 public:
  explicit ZipWriter(std::ostream& out) : out_(out) {}

  /// Begins the file `name`.
  void begin(std::string name) {
    files_.push_back({std::move(name), at_, 0, 0});
    std::string header;
    append(header, 0x04034b50U, std::uint16_t{45}, flags, std::uint16_t{0}, time, date, 0U, 0xffffffffU, 0xffffffffU);
    append(header, static_cast<std::uint16_t>(files_.back().name.size()), std::uint16_t{20});
    header += files_.back().name;
    append(header, std::uint16_t{1}, std::uint16_t{16}, std::uint64_t{0}, std::uint64_t{0});
    write(bytes_of(header));
  }

  /// Writes more of the file.
  void add(Bytes bytes) {
    File& file = files_.back();
    file.crc = zip_crc32(bytes, file.crc);
    file.size += bytes.size();
    write(bytes);
  }

  /// Ends the file.
  void end() {
    std::string descriptor;
    append(descriptor, 0x08074b50U, files_.back().crc, files_.back().size, files_.back().size);
    write(bytes_of(descriptor));
  }

  /// Writes the directory.
  void finish() {
    const std::uint64_t begin = at_;
    for (const File& file : files_) {
      std::string entry;
      append(entry, 0x02014b50U, std::uint16_t{45}, std::uint16_t{45}, flags, std::uint16_t{0}, time, date, file.crc,
             0xffffffffU, 0xffffffffU, static_cast<std::uint16_t>(file.name.size()), std::uint16_t{28},
             std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{0}, 0U, 0xffffffffU);
      entry += file.name;
      append(entry, std::uint16_t{1}, std::uint16_t{24}, file.size, file.size, file.begin);
      write(bytes_of(entry));
    }
    const std::uint64_t end = at_;
    std::string last;
    if (files_.empty()) {  // without the fields of 64 bits, which numpy does not know as the beginning of an archive
      append(last, 0x06054b50U, std::uint64_t{0}, std::uint64_t{0}, std::uint16_t{0});
      return write(bytes_of(last));
    }
    append(last, 0x06064b50U, std::uint64_t{44}, std::uint16_t{45}, std::uint16_t{45}, 0U, 0U,
           std::uint64_t{files_.size()}, std::uint64_t{files_.size()}, end - begin, begin);
    append(last, 0x07064b50U, 0U, end, 1U);
    append(last, 0x06054b50U, std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{0xffff}, std::uint16_t{0xffff},
           0xffffffffU, 0xffffffffU, std::uint16_t{0});
    write(bytes_of(last));
  }

 private:
  struct File {
    std::string name;
    std::uint64_t begin = 0;
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
  };

  static constexpr std::uint16_t flags = 8 | 1 << 11;          // sizes follow the file; names are UTF-8
  static constexpr std::uint16_t time = 0, date = 1 << 5 | 1;  // 1 January 1980: equal runs make equal archives

  template <class... Numbers>
  static void append(std::string& out, Numbers... numbers) {
    const auto append_one = [&out](auto number) {
      for (std::size_t i = 0; i < sizeof number; ++i)
        out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xff);
    };
    (append_one(numbers), ...);
  }

  void write(Bytes bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    at_ += bytes.size();
  }

  std::ostream& out_;
  std::uint64_t at_ = 0;
  std::vector<File> files_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
