// FashionMNIST in half of its resolution. Debian: dataset-fashion-mnist.
#include <algorithm>
#include <array>
#include <memory>

#include "task.hpp"

#ifdef ZOO_HAS_ZLIB
#include <zlib.h>
#endif

namespace zoo {

#ifdef ZOO_HAS_ZLIB

namespace {

/// Returns `count` bytes of a compressed file, after skipping `skip`; none if there are not so many.
std::vector<std::uint8_t> bytes_of(const std::string& path, std::size_t skip, std::size_t count) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose_r);
  std::vector<std::uint8_t> result(count);
  if (!file || gzseek(file.get(), static_cast<z_off_t>(skip), SEEK_SET) < 0 ||
      gzread(file.get(), result.data(), static_cast<unsigned>(count)) != static_cast<int>(count))
    result.clear();
  return result;
}

}  // namespace

Examples fashion_images(const std::string& part, std::size_t first, std::size_t count) {
  const std::string start = "/usr/share/datasets/fashion-mnist/" + part;
  const auto pixels = bytes_of(start + "-images-idx3-ubyte.gz", 16 + first * 784, count * 784);
  const auto labels = bytes_of(start + "-labels-idx1-ubyte.gz", 8 + first, count);
  Examples result;
  if (pixels.empty() || labels.empty()) return result;
  result.inputs.reset({count, 196});
  for (std::size_t image = 0; image < count; ++image)
    for (std::size_t y = 0; y < 14; ++y)
      for (std::size_t x = 0; x < 14; ++x) {
        const std::uint8_t* const at = pixels.data() + image * 784 + 56 * y + 2 * x;
        const int sum = at[0] + at[1] + at[28] + at[29];
        // The mean and the standard deviation of the pixels of all training images.
        result.inputs.row(image)[y * 14 + x] = (static_cast<float>(sum) / 1020 - 0.286f) / 0.353f;
      }
  result.labels.assign(labels.begin(), labels.end());
  return result;
}

#else

Examples fashion_images(const std::string&, std::size_t, std::size_t) { return {}; }

#endif

}  // namespace zoo
