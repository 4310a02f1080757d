// The names of what a tensor can be reduced to; the arithmetic is in reduce/.
//
//   using R = tensortap::Reduction;
//   tensortap::Reductions wanted = {R::min, R::abs_mean, R::l2};
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// SageMaker Debugger's nine reductions, the same of the absolute values, and the record of all statistics at once.
/// `std` and `variance` divide by N; `l1` and `l2` are vector norms for every rank.
enum class Reduction : std::uint8_t {
  min,
  max,
  mean,
  std,
  variance,
  sum,
  prod,
  l1,
  l2,
  abs_min,
  abs_max,
  abs_mean,
  abs_std,
  abs_variance,
  abs_sum,
  abs_prod,
  abs_l1,
  abs_l2,
  statistics,  ///< everything in one record of fixed order, see reduce/statistics.hpp
};

/// How many reductions have a value of their own (all but `statistics`).
inline constexpr std::size_t reduction_count = 18;

/// True for the reductions of absolute values.
constexpr bool is_absolute(Reduction r) noexcept { return r >= Reduction::abs_min && r <= Reduction::abs_l2; }

/// The reduction without "abs_": plain(abs_mean) is mean.
constexpr Reduction plain(Reduction r) noexcept {
  return is_absolute(r) ? static_cast<Reduction>(static_cast<int>(r) - 9) : r;
}

/// True for l1 and l2, with or without "abs_".
constexpr bool is_norm(Reduction r) noexcept { return plain(r) == Reduction::l1 || plain(r) == Reduction::l2; }

/// The spelling used in the names of stored records: "mean", "abs_l1", "statistics".
constexpr std::string_view to_string(Reduction r) noexcept {
  constexpr std::array<std::string_view, reduction_count + 1> names = {
      "min",       "max",     "mean",     "std",     "variance",     "sum",     "prod",     "l1",     "l2",  //
      "abs_min",   "abs_max", "abs_mean", "abs_std", "abs_variance", "abs_sum", "abs_prod", "abs_l1", "abs_l2",
      "statistics"};
  return names[static_cast<std::size_t>(r)];
}

/// The reduction spelled `text` in the name of a record, if there is one.
constexpr std::optional<Reduction> parse_reduction(std::string_view text) noexcept {
  for (std::size_t i = 0; i <= reduction_count; ++i)
    if (const auto r = static_cast<Reduction>(i); to_string(r) == text) return r;
  return std::nullopt;
}

/// A set of reductions in the order in which they are stored: plain ones, norms, absolute ones, absolute norms, each
/// group as configured.
class Reductions {
 public:
  Reductions() = default;
  Reductions(std::initializer_list<Reduction> list) {
    for (const Reduction r : list) insert(r);
  }

  /// Adds `r` unless it is there.
  void insert(Reduction r) {
    if (contains(r)) return;
    std::size_t at = size_++;
    for (; at > 0 && group(list_[at - 1]) > group(r); --at) list_[at] = list_[at - 1];
    list_[at] = r;
  }

  [[nodiscard]] const Reduction* begin() const noexcept { return list_.data(); }
  [[nodiscard]] const Reduction* end() const noexcept { return list_.data() + size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool contains(Reduction r) const noexcept { return std::find(begin(), end(), r) != end(); }

  friend bool operator==(const Reductions& a, const Reductions& b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  static int group(Reduction r) noexcept {
    return r == Reduction::statistics ? 4 : (is_absolute(r) ? 2 : 0) + (is_norm(r) ? 1 : 0);
  }

  std::array<Reduction, reduction_count + 1> list_{};  // inline: sets are made while training waits
  std::size_t size_ = 0;
};

TENSORTAP_END_NAMESPACE
