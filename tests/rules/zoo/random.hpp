// Random numbers with the same bits on every machine: the distributions of the C++ standard have none that are fixed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace zoo {

/// Returns the FNV-1a hash of `text`.
constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// A generator of random numbers. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
class Random {
 public:
  /// Makes the generator of one `purpose`, so that a fault in one part of a training leaves the others as they are.
  Random(std::uint64_t seed, std::string_view purpose) : state_(seed * 0x9e3779b97f4a7c15 + hash_of(purpose)) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  /// Returns a number from [0, 1).
  float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }

  /// Returns a number from [0, count).
  std::size_t below(std::size_t count) { return static_cast<std::size_t>((bits() >> 32) * count >> 32); }

  /// Returns a nearly normal number, the sum of twelve uniform ones: unlike other methods it needs no logarithm.
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

  /// Returns true with this probability.
  bool chance(float probability) { return uniform() < probability; }

  template <class T>
  const T& one_of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

  template <class T>
  void shuffle(std::vector<T>& order) {
    for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[below(left)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace zoo
