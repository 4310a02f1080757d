// Random numbers that are the same on every machine. The C++ standard fixes the bits of std::mt19937_64, but not those
// of std::shuffle and of the distributions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <locale>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>

namespace spot_training {

class Random {
 public:
  explicit Random(std::uint64_t seed) : bits_(seed) {}

  /// Returns a number from [-bound, bound). Numeric: 24 bits, each value exact before the one rounding of the product.
  float uniform(float bound) { return (static_cast<float>(bits_() >> 40) * 0x1p-23f - 1.0f) * bound; }

  /// Returns a number from [0, count). Numeric: 32 bits, so the bias is below count / 2^32.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>((bits_() >> 32) * count >> 32); }

  /// Shuffles as Fisher and Yates do, from the back.
  void shuffle(std::span<std::size_t> order) {
    for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[below(left)]);
  }

  /// Returns the state as text, whose form the standard fixes. `restore` sets it, and returns false for any other text.
  std::string state() const {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << bits_;
    return text.str();
  }
  bool restore(const std::string& state) {
    std::istringstream text(state);
    text.imbue(std::locale::classic());
    return static_cast<bool>(text >> bits_);
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace spot_training
