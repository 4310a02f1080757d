// Inputs and reference values for the tests of the reductions. Inputs are made from integers, so that they are the same
// bits under every compiler and flag; references are sums of long double in the order of the elements.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

namespace inputs {

namespace tt = tensortap;

/// Marsaglia's xorshift64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u | 1) {}
  std::uint64_t bits() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  /// Returns a multiple of 2^-22 in (-1, 1).
  double uniform() { return static_cast<double>(static_cast<std::int32_t>(bits() >> 41) - (1 << 22)) * 0x1p-22; }
  /// Returns a roughly normal number of mean 0 and std 1: the sum of 12 uniform numbers of 16 bits.
  double bell() {
    std::int64_t sum = 0;
    for (int i = 0; i < 3; ++i)
      for (std::uint64_t word = bits(), k = 0; k < 4; ++k, word >>= 16) sum += static_cast<std::int64_t>(word & 0xffff);
    return static_cast<double>(sum - 6 * 0xffff) * 0x1p-16;
  }

 private:
  std::uint64_t state_;
};

template <class T>
T element(double value) {
  if constexpr (std::is_same_v<T, tt::Half> || std::is_same_v<T, tt::BFloat16>)
    return T(static_cast<float>(value));
  else
    return static_cast<T>(value);
}

template <class T>
long double exact(T value) {
  if constexpr (std::is_same_v<T, tt::Half> || std::is_same_v<T, tt::BFloat16>)
    return static_cast<float>(value);
  else
    return static_cast<long double>(value);
}

template <class T>
std::vector<T> bell(std::size_t n, double mean = 0, double std = 1, std::uint64_t seed = 1) {
  Random random(seed + n);
  std::vector<T> out(n);
  for (T& x : out) x = element<T>(mean + tt::detail::rounded(std * random.bell()));  // not fused
  return out;
}

/// Makes integers of any bits.
template <class T>
std::vector<T> anything(std::size_t n, std::uint64_t seed = 1) {
  Random random(seed + n);
  std::vector<T> out(n);
  for (T& x : out) x = static_cast<T>(random.bits() >> 7);
  return out;
}

/// The exact statistics of finite elements.
struct Reference {
  long double sum = 0, abs_sum = 0, sum_squares = 0, squared_deviations = 0, abs_squared_deviations = 0;
  long double min = INFINITY, max = -INFINITY, abs_min = INFINITY, abs_max = 0;
  std::uint64_t zeros = 0;
};

template <class T>
Reference reference(std::span<const T> elements) {
  Reference r;
  for (const T element : elements) {
    const long double x = exact(element);
    const long double size = x < 0 ? -x : x;
    r.sum += x;
    r.abs_sum += size;
    r.sum_squares += x * x;
    r.min = std::min(r.min, x);
    r.max = std::max(r.max, x);
    r.abs_min = std::min(r.abs_min, size);
    r.abs_max = std::max(r.abs_max, size);
    r.zeros += x == 0;
  }
  const auto n = static_cast<long double>(elements.size());
  for (const T element : elements) {
    const long double x = exact(element);
    const long double d = x - r.sum / n;
    const long double abs_d = (x < 0 ? -x : x) - r.abs_sum / n;
    r.squared_deviations += d * d;
    r.abs_squared_deviations += abs_d * abs_d;
  }
  return r;
}

/// A copy of elements that starts `offset` bytes after an address that is a multiple of 64.
class Misaligned {
 public:
  template <class T>
  Misaligned(const std::vector<T>& elements, std::size_t offset)
      : bytes_(elements.size() * sizeof(T) + 128),
        dtype_(*tt::dtype_v<T>),
        extent_(static_cast<std::int64_t>(elements.size())) {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
    first_ = bytes_.data() + (64 - address % 64) % 64 + offset;
    if (!elements.empty()) std::memcpy(first_, elements.data(), elements.size() * sizeof(T));
  }
  [[nodiscard]] tt::TensorView view() const { return {first_, dtype_, tt::TensorView::Extents(&extent_, 1)}; }

 private:
  std::vector<std::byte> bytes_;
  std::byte* first_;
  tt::DType dtype_;
  std::int64_t extent_;
};

}  // namespace inputs
