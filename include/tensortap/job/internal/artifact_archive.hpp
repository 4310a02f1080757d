// A directory as one .tar.gz file. The bytes are stored, not compressed: weights hardly shrink, and gzip and tar read
// it as any other.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes a gzip file of stored blocks. Source: RFC 1951 and 1952.
class StoredGzip {
 public:
  /// Throws, as all functions: the file cannot be written.
  explicit StoredGzip(const std::string& path)
      : path_(path),
        file_(above_standard_streams(
            Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)))) {
    constexpr std::string_view header("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);  // no name, no time, Unix
    write_raw(header);
  }

  void write(std::string_view bytes) {
    constexpr std::size_t largest_block = 65535;
    while (!bytes.empty()) {
      const std::string_view block = bytes.substr(0, largest_block);
      write_block(block, false);
      for (const char c : block) crc_ = table()[(crc_ ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc_ >> 8);
      size_ += static_cast<std::uint32_t>(block.size());
      bytes.remove_prefix(block.size());
    }
  }

  void finish() {
    write_block({}, true);
    std::string end;
    for (const std::uint32_t number : {~crc_, size_})
      for (int shift = 0; shift < 32; shift += 8) end.push_back(static_cast<char>(number >> shift));
    write_raw(end);
  }

 private:
  static const std::array<std::uint32_t, 256>& table() {
    static const std::array<std::uint32_t, 256> made = [] {
      std::array<std::uint32_t, 256> out{};
      for (std::uint32_t i = 0; i < out.size(); ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xedb88320U ^ (c >> 1) : c >> 1;
        out[i] = c;
      }
      return out;
    }();
    return made;
  }

  void write_block(std::string_view block, bool is_last) {
    const auto size = static_cast<std::uint16_t>(block.size());
    const auto inverse = static_cast<std::uint16_t>(~size);
    std::string header;
    header.push_back(is_last ? '\1' : '\0');
    for (const std::uint16_t number : {size, inverse}) {
      header.push_back(static_cast<char>(number & 0xff));
      header.push_back(static_cast<char>(number >> 8));
    }
    write_raw(header);
    write_raw(block);
  }

  void write_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted([&] { return ::write(file_.get(), bytes.data(), bytes.size()); });
      if (n <= 0) throw Error::io("job: archive", path_, std::generic_category().message(errno) + "; free space");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  const std::string path_;
  Descriptor file_;
  std::uint32_t crc_ = ~std::uint32_t{0};
  std::uint32_t size_ = 0;  // modulo 2^32
};

/// Writes files into a tar archive, in the pax format where names or sizes need it. Source: POSIX.1-2008, pax.
class ArtifactArchive {
 public:
  explicit ArtifactArchive(const std::string& path) : gzip_(path) {}

  /// Adds all files, directories and links below `directory`, sorted, with names below `prefix`. Returns the number of
  /// files and links. A file that changes or vanishes meanwhile is padded with zeros.
  std::size_t add(const std::string& directory, const std::string& prefix) {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    std::error_code error;
    for (fs::recursive_directory_iterator one(directory, error), end; !error && one != end; one.increment(error))
      names.push_back(one->path().string());
    if (error) throw Error::io("job: archive", directory, error.message() + "; make it readable");
    std::sort(names.begin(), names.end());
    std::size_t count = 0;
    for (const std::string& name : names) count += add_one(name, prefix + name.substr(directory.size() + 1)) ? 1U : 0U;
    return count;
  }

  void finish() {
    gzip_.write(std::string(2 * block, '\0'));
    gzip_.finish();
  }

 private:
  static constexpr std::size_t block = 512;

  /// Returns whether it was a file or a link.
  bool add_one(const std::string& path, const std::string& name) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return false;
    if (S_ISDIR(status.st_mode)) {
      add_header(name + '/', status, '5', 0, {});
      return false;
    }
    if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      add_header(name, status, '2', 0, std::filesystem::read_symlink(path, error).string());
      return true;
    }
    if (!S_ISREG(status.st_mode)) return false;
    const Descriptor file = above_standard_streams(Descriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)));
    if (!file) throw Error::io("job: archive", path, std::generic_category().message(errno) + "; make it readable");
    auto left = static_cast<std::uint64_t>(status.st_size);
    add_header(name, status, '0', left, {});
    std::string bytes(std::size_t{1} << 18, '\0');
    while (left > 0) {
      const std::size_t wanted = std::min<std::uint64_t>(left, bytes.size());
      ssize_t n = uninterrupted([&] { return ::read(file.get(), bytes.data(), wanted); });
      if (n < 0) throw Error::io("job: archive", path, std::generic_category().message(errno) + "; make it readable");
      if (n == 0) {
        std::fill(bytes.begin(), bytes.end(), '\0');
        n = static_cast<ssize_t>(wanted);
      }
      gzip_.write(std::string_view(bytes).substr(0, static_cast<std::size_t>(n)));
      left -= static_cast<std::uint64_t>(n);
    }
    pad(static_cast<std::uint64_t>(status.st_size));
    return true;
  }

  void pad(std::uint64_t size) {
    if (size % block != 0) gzip_.write(std::string(block - size % block, '\0'));
  }

  /// Returns one record of a pax header: its length, which counts itself, the key and the value.
  static std::string pax_record(const std::string& key, const std::string& value) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) length = std::to_string(length).size() + rest.size();
    return std::to_string(length) + rest;
  }

  void add_header(const std::string& name, const struct stat& status, char type, std::uint64_t size,
                  const std::string& link) {
    constexpr std::size_t longest = 100;
    constexpr std::uint64_t largest = std::uint64_t{1} << 33;
    std::string more;
    if (name.size() > longest) more += pax_record("path", name);
    if (link.size() > longest) more += pax_record("linkpath", link);
    if (size >= largest) more += pax_record("size", std::to_string(size));
    if (!more.empty()) {
      write_header("pax", status, 'x', more.size(), {});
      gzip_.write(more);
      pad(more.size());
    }
    write_header(name.substr(0, longest), status, type, size >= largest ? 0 : size, link.substr(0, longest));
  }

  void write_header(const std::string& name, const struct stat& status, char type, std::uint64_t size,
                    const std::string& link) {
    std::array<char, block> header{};
    const auto text = [&](std::size_t at, std::string_view value) {
      std::memcpy(header.data() + at, value.data(), value.size());
    };
    const auto octal = [&](std::size_t at, std::size_t digits, std::uint64_t value) {
      for (std::size_t i = 0; i < digits; ++i, value >>= 3)
        header[at + digits - 1 - i] = static_cast<char>('0' + (value & 7));
    };
    text(0, name);
    octal(100, 7, status.st_mode & 0777);
    octal(108, 7, 0);
    octal(116, 7, 0);
    octal(124, 11, size);
    octal(136, 11, static_cast<std::uint64_t>(std::max<std::int64_t>(status.st_mtim.tv_sec, 0)));
    header[156] = type;
    text(157, link);
    text(257, std::string_view("ustar\0", 6));
    text(263, "00");
    text(148, "        ");
    std::uint64_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    octal(148, 6, sum);
    header[154] = '\0';
    gzip_.write({header.data(), header.size()});
  }

  StoredGzip gzip_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
