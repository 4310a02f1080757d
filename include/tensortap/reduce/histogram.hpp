// The distribution of the elements of a tensor over their magnitudes: a histogram with four bins to each power of two,
// for either sign. Counts are exact, histograms add up in any order, and quantiles come with bounds: how many gradients
// are too small for float16, where the median of the magnitudes is.
//
//   const tensortap::Histogram h = tensortap::histogram(gradient);
//   std::cout << h.count_below(-24).value_or(0) << " of " << h.finite() << " are below 2^-24\n";
//   if (const auto median = h.abs_quantile(0.5)) std::cout << median->lower << " to " << median->upper << '\n';
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Counts of elements by sign and magnitude; each finite element is in one bin. From 2^-149 to 2^128, the range of
/// float32, of the 16-bit floats and of integers, each power of two has 4 equally wide bins: the upper end is at most
/// 1.25 times the lower one. Smaller numbers of float64 have one bin, and larger ones too. Zeros of both signs have a
/// bin of their own.
/// Units: 18 KiB, without heap memory.
struct Histogram {
  static constexpr int first_exponent = -149;  ///< of the smallest power of two that begins a bin
  static constexpr int last_exponent = 128;    ///< of the largest
  static constexpr std::size_t bins_per_power = 4;
  /// The bins of the powers of two, one for smaller numbers, and one for larger ones.
  static constexpr std::size_t bins_per_sign = (last_exponent - first_exponent) * bins_per_power + 2;
  static constexpr std::size_t zero_bin = bins_per_sign;
  static constexpr std::size_t bin_count = 2 * bins_per_sign + 1;

  std::uint64_t count = 0;         ///< elements, finite or not
  std::uint64_t nan = 0;           ///< NaNs
  std::uint64_t positive_inf = 0;  ///< elements that are +infinity
  std::uint64_t negative_inf = 0;  ///< elements that are -infinity
  std::uint64_t subnormals = 0;    ///< elements that are subnormal in the type of their tensor; they are in bins, too
  /// The counts of the bins in ascending order: the largest negative numbers first, `zero_bin` in the middle.
  std::array<std::uint64_t, bin_count> counts{};

  /// Numbers from `lower` to `upper`, both included.
  struct Bounds {
    double lower, upper;
  };

  /// The number of NaNs and infinities.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + positive_inf + negative_inf; }
  /// The number of elements in bins.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }
  /// The number of elements that are 0 or -0.
  [[nodiscard]] std::uint64_t zeros() const noexcept { return counts[zero_bin]; }

  /// Returns the ends of a bin. An end shared by two bins belongs to the bin farther from 0.
  [[nodiscard]] static Bounds bounds(std::size_t bin) noexcept;

  /// Counts the finite elements with abs(x) < 2^exponent. Returns nothing if no bin ends there, which happens only for
  /// float64 elements below 2^-149 or from 2^128 on.
  [[nodiscard]] std::optional<std::uint64_t> count_below(int exponent) const noexcept;
  /// Counts the finite elements with abs(x) >= 2^exponent. Returns nothing where `count_below` returns nothing.
  [[nodiscard]] std::optional<std::uint64_t> count_from(int exponent) const noexcept;

  /// Returns bounds of the `q` quantile of the finite elements. Of these, sorted from 0 to n - 1, the elements
  /// floor(q * (n - 1)) and ceil(q * (n - 1)), which numpy.quantile calls 'lower' and 'higher', lie within the bounds,
  /// and so does the value that numpy interpolates between the two.
  /// Empty: nothing.
  /// Throws: q outside [0, 1].
  [[nodiscard]] std::optional<Bounds> quantile(double q) const;
  /// Returns bounds of the `q` quantile of the magnitudes.
  [[nodiscard]] std::optional<Bounds> abs_quantile(double q) const;

  friend bool operator==(const Histogram&, const Histogram&) = default;
};

/// Returns the histogram of the elements of both. Exact, in any order.
[[nodiscard]] Histogram merge(const Histogram& a, const Histogram& b) noexcept;

/// Returns the histogram of `view`. Bools are 0 and 1.
/// Numeric: exact; integers of any size are not rounded.
/// Empty: all counts are 0.
/// Throws: complex numbers and strings.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] Histogram histogram(const TensorView& view);

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] Histogram histogram(const T& tensor) {
  return histogram(as_view(tensor));
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/histogram_impl.hpp>
#endif
