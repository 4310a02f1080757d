#include "spot_training/idx.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>
#include <zlib.h>

#include "catch.hpp"
#include "spot_training/fashion_mnist.hpp"

namespace spot_training {
namespace {

/// A directory that is removed after the test.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("idx_test_" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directory(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// Writes `bytes` through gzip; returns the path.
  std::filesystem::path gzip(const std::string& name, const std::string& bytes) const {
    const gzFile file = gzopen((path / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path / name;
  }
};

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

std::string labels(std::uint32_t count) { return big_endian(0x0801) + big_endian(count); }
std::string images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  return big_endian(0x0803) + big_endian(count) + big_endian(height) + big_endian(width);
}

TEST_CASE("read_idx: returns what the file holds", "[examples][idx]") {
  const Folder folder;
  const auto numbers = read_idx<1>(folder.gzip("labels", labels(3) + "\x01\x02\x03"));
  REQUIRE((numbers == xt::xtensor<std::uint8_t, 1>{1, 2, 3}));
  const auto pixels = read_idx<3>(folder.gzip("images", images(2, 1, 3) + "abcdef"));
  REQUIRE(pixels.shape() == std::array<std::size_t, 3>{2, 1, 3});
  REQUIRE(pixels(1, 0, 2) == 'f');
}

TEST_CASE("read_idx: names a missing file and where it comes from", "[examples][idx]") {
  const Folder folder;
  REQUIRE_THROWS_WITH(read_idx<1>(folder.path / "absent.gz"),
                      contains("absent.gz: cannot be opened") && contains("--data"));
}

TEST_CASE("read_idx: refuses an invalid header", "[examples][idx]") {
  const Folder folder;
  const auto refuses = [&](const std::string& bytes, const std::string& message) {
    REQUIRE_THROWS_WITH(read_idx<3>(folder.gzip("images", bytes)), contains(message));
  };
  refuses(labels(3) + "\x01\x02\x03\x04\x05\x06\x07\x08\x09", "not an IDX file of bytes of rank 3");
  refuses(std::string(16, '\0'), "not an IDX file of bytes of rank 3");
  refuses(images(1, 0, 3), "dimension 1 is out of range (0)");
  refuses(images(0xffffffff, 0xffffffff, 0xffffffff), "dimension 0 is out of range (4294967295)");
  refuses(images(1 << 14, 1 << 14, 2), "dimension 2 is out of range (2)");
}

TEST_CASE("read_idx: refuses data whose length differs from the header", "[examples][idx]") {
  const Folder folder;
  REQUIRE_THROWS_WITH(read_idx<1>(folder.gzip("short", labels(4) + "abc")), contains("cut short"));
  REQUIRE_THROWS_WITH(read_idx<1>(folder.gzip("long", labels(2) + "abc")), contains("longer than its header says"));
  REQUIRE_THROWS_WITH(read_idx<1>(folder.gzip("empty", "")), contains("cut short"));
}

TEST_CASE("read_idx: detects a compressed file that is cut at any byte or has one changed byte", "[examples][idx]") {
  const Folder folder;
  const std::filesystem::path path = folder.gzip("whole", labels(300) + std::string(300, 'x')),
                              damaged = folder.path / "damaged";
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::ofstream(damaged, std::ios::binary) << whole.substr(0, length);
    REQUIRE_THROWS_AS(read_idx<1>(damaged), std::runtime_error);
  }
  // Changes of the header of gzip (10 bytes) and of the padding bits after the data do no harm.
  for (std::size_t position = 10; position < whole.size(); ++position) {
    std::string changed = whole;
    changed[position] = static_cast<char>(changed[position] ^ 1);
    std::ofstream(damaged, std::ios::binary) << changed;
    REQUIRE_THROWS_AS(read_idx<1>(damaged), std::runtime_error);
  }
}

TEST_CASE("FashionMnist: refuses images and labels that do not match", "[examples][idx]") {
  const Folder folder;
  folder.gzip("train-images-idx3-ubyte.gz", images(2, 28, 28) + std::string(2 * 28 * 28, '\xff'));
  const auto make = [&](const std::string& label_bytes) {
    folder.gzip("train-labels-idx1-ubyte.gz", label_bytes);
    return FashionMnist(folder.path, "train");
  };
  REQUIRE_THROWS_WITH(make(labels(3) + "\x01\x02\x03"), contains("3 labels, 2 images"));
  REQUIRE_THROWS_WITH(make(labels(2) + "\x01\x0a"), contains("label out of range (10)"));

  const FashionMnist data = make(labels(2) + "\x01\x09");
  const std::vector<std::size_t> order = {1};
  const Batch batch = data.batch(order);
  REQUIRE(batch.labels == std::vector<std::uint8_t>{9});
  REQUIRE(batch.images.shape() == std::array<std::size_t, 4>{1, 1, 28, 28});
  REQUIRE(batch.images(0, 0, 27, 27) == Approx((1 - 0.2860) / 0.3530));

  folder.gzip("train-images-idx3-ubyte.gz", images(2, 14, 28) + std::string(2 * 14 * 28, '\0'));
  REQUIRE_THROWS_WITH(FashionMnist(folder.path, "train"), contains("wrong size of image (14 x 28)"));
}

}  // namespace
}  // namespace spot_training
