// A checkpoint is one file: eight letters, a version, sections of bytes with their sizes, and a checksum of all of it.
// Numbers are little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zlib.h>

#include "idx.hpp"

namespace spot_training {

inline constexpr std::string_view checkpoint_magic = "SPOTCKPT";
inline constexpr std::uint64_t checkpoint_version = 1;

class CheckpointWriter {
 public:
  CheckpointWriter() : bytes_(checkpoint_magic) { append(checkpoint_version); }

  void add(std::string_view section) {
    append(section.size());
    bytes_ += section;
  }
  template <class Number>
  void add(std::span<const Number> numbers) {
    add(std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()));
  }

  /// Returns the whole checkpoint. Call it last.
  std::string finish() && {
    append(crc32_z(0, reinterpret_cast<const Bytef*>(bytes_.data()), bytes_.size()));
    return std::move(bytes_);
  }

 private:
  void append(std::uint64_t number) { bytes_.append(reinterpret_cast<const char*>(&number), sizeof number); }

  std::string bytes_;
};

/// Reads the sections in the order in which they were added.
/// Lifetime: the bytes are borrowed.
class CheckpointReader {
 public:
  /// `path` appears in messages. Throws, as all functions below: std::runtime_error if the bytes are damaged.
  CheckpointReader(std::string_view bytes, std::filesystem::path path) : rest_(bytes), path_(std::move(path)) {
    constexpr std::size_t crc_size = sizeof(std::uint64_t);
    if (!bytes.starts_with(checkpoint_magic)) fail("it is no checkpoint", "name another file");
    take(checkpoint_magic.size());
    if (const std::uint64_t version = number(); version != checkpoint_version)
      fail("it has version " + std::to_string(version) + ", not " + std::to_string(checkpoint_version),
           "continue with the program that wrote it");
    if (rest_.size() < crc_size) fail_as_damaged();
    const std::string_view content = bytes.substr(0, bytes.size() - crc_size);
    std::uint64_t crc = 0;
    std::memcpy(&crc, bytes.data() + content.size(), crc_size);
    if (crc != crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size())) fail_as_damaged();
    rest_.remove_suffix(crc_size);
  }

  std::string_view section() { return take(number()); }

  /// Reads a section of exactly the size of `numbers`.
  template <class Number>
  void read(std::span<Number> numbers) {
    const std::string_view bytes = section();
    if (bytes.size() != numbers.size_bytes())
      fail("a section has the wrong size (" + std::to_string(bytes.size()) + " bytes, not " +
               std::to_string(numbers.size_bytes()) + ")",
           "it belongs to another network or other data");
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
  }

  void expect_end() const {
    if (!rest_.empty()) fail("it is longer than it should be", "it belongs to another network or other data");
  }

  [[noreturn]] void fail(const std::string& cause, const std::string& way_out) const {
    fail_to_read(path_, cause, way_out);
  }

 private:
  [[noreturn]] void fail_as_damaged() const { fail("damaged or cut short", "continue from an earlier checkpoint"); }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail_as_damaged();
    const std::string_view result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }

  std::uint64_t number() {
    std::uint64_t result = 0;
    std::memcpy(&result, take(sizeof result).data(), sizeof result);
    return result;
  }

  std::string_view rest_;
  std::filesystem::path path_;
};

}  // namespace spot_training
