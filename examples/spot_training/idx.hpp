// Reads IDX files of bytes, the format of MNIST, gzip-compressed or plain.
// Source: http://yann.lecun.com/exdb/mnist/, "the IDX file format".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <zlib.h>

#include "tensor.hpp"

namespace spot_training {

[[noreturn]] inline void fail_to_read(const std::filesystem::path& path, const std::string& cause,
                                      const std::string& way_out) {
  throw std::runtime_error("read: " + path.string() + ": " + cause + "; " + way_out);
}

/// One file, read from front to back; each short or damaged read throws.
class GzipFile {
 public:
  explicit GzipFile(const std::filesystem::path& path) : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose_r) {
    if (!file_)
      fail_to_read(path, "cannot be opened (missing, or not readable)",
                   "install Debian's dataset-fashion-mnist, or name the data's folder with --data");
  }

  void read(std::uint8_t* to, std::size_t count) {
    const int got = gzread(file_.get(), to, static_cast<unsigned>(count));
    if (got < 0 || static_cast<std::size_t>(got) != count) fail_as_damaged("cut short");
  }

  /// Throws unless the data ends here. Only at the end has zlib compared the checksum.
  void expect_end() {
    std::uint8_t byte = 0;
    if (gzread(file_.get(), &byte, 1) > 0) fail_as_damaged("longer than its header says");
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK) fail_as_damaged("damaged");
  }

 private:
  [[noreturn]] void fail_as_damaged(const std::string& how) const {
    int code = Z_OK;
    const std::string reason = gzerror(file_.get(), &code);
    fail_to_read(path_, code == Z_OK ? how : how + " (" + reason + ")", "fetch it again");
  }

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

/// Reads an IDX file. Shape: that of the file.
/// Throws: std::runtime_error if the file is missing, damaged, of another type or rank, or larger than 256 MiB.
template <std::size_t Rank>
xt::xtensor<std::uint8_t, Rank> read_idx(const std::filesystem::path& path) {
  GzipFile file(path);
  // Big-endian: two zero bytes, 8 = unsigned bytes, the rank; then each extent.
  std::array<std::uint8_t, 4 * (Rank + 1)> header{};
  file.read(header.data(), header.size());
  if (header[0] != 0 || header[1] != 0 || header[2] != 8 || header[3] != Rank)
    fail_to_read(path, "not an IDX file of bytes of rank " + std::to_string(Rank), "check that this is the right file");
  constexpr std::size_t max_bytes = std::size_t{256} << 20;
  std::array<std::size_t, Rank> shape{};
  std::size_t size = 1;
  for (std::size_t i = 0; i < Rank; ++i) {
    for (std::size_t byte = 0; byte < 4; ++byte) shape[i] = shape[i] << 8 | header[4 * (i + 1) + byte];
    if (shape[i] == 0 || shape[i] > max_bytes / size)
      fail_to_read(path, "dimension " + std::to_string(i) + " is out of range (" + std::to_string(shape[i]) + ")",
                   "fetch it again");
    size *= shape[i];
  }
  xt::xtensor<std::uint8_t, Rank> result(shape);
  file.read(result.data(), size);
  file.expect_end();
  return result;
}

}  // namespace spot_training
