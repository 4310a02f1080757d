// The reductions of a tensor by name, and sets of them. The arithmetic is in reduce/.
//
//   using R = tensortap::Reduction;
//   tensortap::Reductions wanted = {R::min, R::abs_mean, R::l2};
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A reduction: one of SageMaker Debugger's nine, one of the same nine of the absolute values, or a record of several
/// numbers. `std` and `variance` divide by N; `l1` and `l2` are vector norms for every rank.
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
  statistics,  ///< all of them in one record of fixed order, see statistics_record.hpp
  units,       ///< counts and norms of each unit of a layer, see unit_statistics.hpp
  classes,     ///< how many labels or predictions are of each class, see reduce/classes.hpp
};

/// The number of reductions that are one number: all before `statistics`.
inline constexpr std::size_t reduction_count = 18;

/// The number of all reductions.
inline constexpr std::size_t all_reductions_count = 21;

/// Returns whether `r` is a record of several numbers.
constexpr bool is_record(Reduction r) noexcept { return r >= Reduction::statistics; }

/// Returns whether `r` is a reduction of absolute values.
constexpr bool is_absolute(Reduction r) noexcept { return r >= Reduction::abs_min && r <= Reduction::abs_l2; }

/// Returns `r` without "abs_": plain(abs_mean) is mean.
constexpr Reduction plain(Reduction r) noexcept {
  return is_absolute(r) ? static_cast<Reduction>(static_cast<int>(r) - 9) : r;
}

/// Returns whether `r` is l1 or l2, with or without "abs_".
constexpr bool is_norm(Reduction r) noexcept { return plain(r) == Reduction::l1 || plain(r) == Reduction::l2; }

/// Returns the name used in stored records: "mean", "abs_l1", "statistics".
constexpr std::string_view to_string(Reduction r) noexcept {
  constexpr std::array<std::string_view, all_reductions_count> names = {
      "min",        "max",     "mean",     "std",     "variance",     "sum",     "prod",     "l1",     "l2",  //
      "abs_min",    "abs_max", "abs_mean", "abs_std", "abs_variance", "abs_sum", "abs_prod", "abs_l1", "abs_l2",
      "statistics", "units",   "classes"};
  return names[static_cast<std::size_t>(r)];
}

/// Returns the reduction named `text`; nullopt if there is none.
constexpr std::optional<Reduction> parse_reduction(std::string_view text) noexcept {
  for (std::size_t i = 0; i < all_reductions_count; ++i)
    if (const auto r = static_cast<Reduction>(i); to_string(r) == text) return r;
  return std::nullopt;
}

/// A set of reductions in the order in which they are stored: plain ones, norms, absolute ones, absolute norms,
/// records. Each group of single numbers keeps the order of insertion.
class Reductions {
 public:
  Reductions() = default;
  Reductions(std::initializer_list<Reduction> list) {
    for (const Reduction r : list) insert(r);
  }

  /// Adds `r` if the set does not contain it.
  void insert(Reduction r) {
    if (contains(r)) return;
    std::size_t at = size_++;
    for (; at > 0 && group(list_[at - 1]) > group(r); --at) list_[at] = list_[at - 1];
    list_[at] = r;
  }

  [[nodiscard]] const Reduction* begin() const noexcept { return list_.data(); }
  [[nodiscard]] const Reduction* end() const noexcept { return list_.data() + size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool contains(Reduction r) const noexcept {
    for (const Reduction other : *this)
      if (other == r) return true;
    return false;
  }

  friend bool operator==(const Reductions& a, const Reductions& b) noexcept {
    return a.size_ == b.size_ && a.list_ == b.list_;
  }

 private:
  static int group(Reduction r) noexcept {
    if (is_record(r)) return 4 + static_cast<int>(r) - static_cast<int>(Reduction::statistics);
    return (is_absolute(r) ? 2 : 0) + (is_norm(r) ? 1 : 0);
  }

  std::array<Reduction, all_reductions_count> list_{};  // no allocation: hooks make sets while training waits
  std::size_t size_ = 0;
};

TENSORTAP_END_NAMESPACE
