// How the elements of a tensor are spread over the magnitudes: a histogram with four bins to each power of two, for
// either sign. Counts are exact, histograms add up in any order, and a quantile comes with bounds that hold: how many
// gradients are too small for float16, where the median of the magnitudes is.
//
//   const tensortap::Histogram h = tensortap::histogram(gradient);
//   std::cout << h.count_below(-24).value_or(0) << " of " << h.finite() << " are below 2^-24\n";
//   if (const auto median = h.abs_quantile(0.5)) std::cout << median->lower << " to " << median->upper << '\n';
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/magnitude_bins.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Counts of elements by sign and magnitude; each finite one is in one bin. From 2^-149 to 2^128, where all numbers of
/// float32, of the 16-bit floats and of integers are, there are 4 bins to each power of two, equally wide: the upper
/// end is at most 1.25 times the lower one. Of float64, what is smaller has one bin and what is larger too. Zeros of
/// both signs have a bin to themselves.
/// Units: 18 KiB, without heap memory.
struct Histogram {
  static constexpr int first_exponent = detail::first_exponent;  ///< of the smallest power of two that begins a bin
  static constexpr int last_exponent = detail::last_exponent;    ///< of the largest
  static constexpr std::size_t bins_per_power = detail::bins_per_power;
  /// Those of the powers of two, one for what is smaller, and one for what is larger.
  static constexpr std::size_t bins_per_sign = detail::bins_per_sign;
  static constexpr std::size_t zero_bin = bins_per_sign;
  static constexpr std::size_t bin_count = 2 * bins_per_sign + 1;

  std::uint64_t count = 0;         ///< elements, finite or not
  std::uint64_t nan = 0;           ///< NaNs
  std::uint64_t positive_inf = 0;  ///< elements that are +infinity
  std::uint64_t negative_inf = 0;  ///< elements that are -infinity
  std::uint64_t subnormals = 0;    ///< elements that are subnormal in the type of their tensor; in bins, too
  /// By bin, in the order of the numbers: the largest negative ones first, `zero_bin` in the middle.
  std::array<std::uint64_t, bin_count> counts{};

  /// Numbers from `lower` to `upper`, both included.
  struct Bounds {
    double lower, upper;
  };

  /// NaNs and infinities.
  [[nodiscard]] std::uint64_t non_finite() const noexcept { return nan + positive_inf + negative_inf; }
  /// Elements that are in bins.
  [[nodiscard]] std::uint64_t finite() const noexcept { return count - non_finite(); }
  /// Elements that are 0 or -0.
  [[nodiscard]] std::uint64_t zeros() const noexcept { return counts[zero_bin]; }

  /// The ends of a bin. One that it shares with its neighbour belongs to the bin farther from 0.
  [[nodiscard]] static Bounds bounds(std::size_t bin) noexcept;

  /// How many finite elements have abs(x) < 2^exponent. Nothing if the end of no bin says it, which happens only to
  /// float64 elements below 2^-149 or from 2^128 on.
  [[nodiscard]] std::optional<std::uint64_t> count_below(int exponent) const noexcept;
  /// How many finite elements have abs(x) >= 2^exponent; nothing where `count_below` has nothing.
  [[nodiscard]] std::optional<std::uint64_t> count_from(int exponent) const noexcept;

  /// Bounds of the `q` quantile of the finite elements. With these sorted, from element 0 to n - 1, both number
  /// floor(q * (n - 1)), which numpy.quantile calls 'lower', and number ceil(q * (n - 1)), its 'higher', lie within,
  /// and so does what numpy interpolates between the two.
  /// Empty: nothing.
  /// Throws: q outside [0, 1].
  [[nodiscard]] std::optional<Bounds> quantile(double q) const;
  /// The same of the magnitudes.
  [[nodiscard]] std::optional<Bounds> abs_quantile(double q) const;

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  /// The first and the last of `bins` in which the quantile `q` may be; `counts_of(i)` elements are in bin i.
  template <class CountsOf>
  [[nodiscard]] std::optional<std::array<std::size_t, 2>> bins_of(double q, std::size_t bins,
                                                                  const CountsOf& counts_of) const;
};

/// The histogram of the elements of both; exact, in any order.
inline Histogram merge(const Histogram& a, const Histogram& b) noexcept {
  Histogram h = a;
  h.count += b.count;
  h.nan += b.nan;
  h.positive_inf += b.positive_inf;
  h.negative_inf += b.negative_inf;
  h.subnormals += b.subnormals;
  for (std::size_t i = 0; i < h.counts.size(); ++i) h.counts[i] += b.counts[i];
  return h;
}

namespace detail {

/// Adds a block, and fetches the next one to L2, if elements lie in order.
template <class In>
[[gnu::always_inline]] inline void add_to_bins(const Block& block, Histogram& h) noexcept {
  const auto add = [&](std::size_t i) {
    const In x = load<In>(block.elements + i * sizeof(In));
    if constexpr (std::integral<In>)
      ++h.counts[bin_of(x)];
    else
      ++h.counts[bin_of(static_cast<double>(x))];
  };
  constexpr std::size_t line = 64 / sizeof(In);
  std::size_t i = 0;
  for (; i + line <= block.count; i += line) {
    __builtin_prefetch(block.elements + (block_size + i) * sizeof(In), 0, 2);
#pragma GCC unroll 16
    for (std::size_t k = 0; k < line; ++k) add(i + k);
  }
  for (; i < block.count; ++i) add(i);
}

/// Takes NaN and the infinities of a block out of the outermost bins, and counts them and the subnormal float64.
template <class In>
[[gnu::noinline]] void sort_out(const Block& block, Histogram& h) noexcept {
  for (std::size_t i = 0; i < block.count; ++i) {
    const auto bits = load<BitsOf<In>>(block.elements + i * sizeof(In));
    const auto magnitude = static_cast<BitsOf<In>>(bits & ~sign_bit<In>);
    const bool negative = bits != magnitude;
    if (sizeof(In) == 8) h.subnormals += magnitude != 0 && magnitude < (std::uint64_t{1} << 52);
    if (magnitude < infinity_bits<In>) continue;
    --h.counts[negative ? 0 : Histogram::bin_count - 1];
    ++(magnitude > infinity_bits<In> ? h.nan : negative ? h.negative_inf : h.positive_inf);
  }
}

template <class In>
[[gnu::noinline]] void read_histogram(const TensorView& view, Histogram& h) {
  BlockReader<In> reader(view);
  const auto unclear = [&] {
    const std::uint64_t outermost = h.counts.front() + h.counts.back();
    if (sizeof(In) == 4) return outermost;
    return outermost + h.counts[Histogram::zero_bin - 1] + h.counts[Histogram::zero_bin + 1];
  };
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = reader[i];
    const std::uint64_t before = unclear();
    add_to_bins<In>(block, h);
    if (unclear() != before) sort_out<In>(block, h);
  }
  if (sizeof(In) == 4) {
    const int smallest_normal = view.dtype() == DType::f16 ? -14 : -126;
    h.subnormals = *h.count_below(smallest_normal) - h.zeros();
  }
}

/// Of integers that float64 may not hold.
template <class T>
[[gnu::noinline]] void read_integers(const TensorView& view, Histogram& h) {
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  for (std::size_t i = 0; i < block_count(view); ++i) add_to_bins<T>(raw_block(view, i, buffer), h);
}

}  // namespace detail

inline Histogram::Bounds Histogram::bounds(std::size_t bin) noexcept {
  if (bin < zero_bin) return {-detail::bin_edge(zero_bin - bin), -detail::bin_edge(zero_bin - bin - 1)};
  if (bin == zero_bin) return {0, 0};
  return {detail::bin_edge(bin - zero_bin - 1), detail::bin_edge(bin - zero_bin)};
}

inline std::optional<std::uint64_t> Histogram::count_below(int exponent) const noexcept {
  const std::uint64_t tiny = counts[zero_bin - 1] + counts[zero_bin + 1];
  if (exponent < first_exponent) {
    if (tiny > 0 && exponent > -1074) return std::nullopt;
    return zeros();
  }
  if (exponent > last_exponent) {
    if (counts.front() + counts.back() > 0 && exponent < 1024) return std::nullopt;
    return finite();
  }
  const std::size_t bins = 1 + static_cast<std::size_t>(exponent - first_exponent) * bins_per_power;
  std::uint64_t below = 0;
  for (std::size_t i = zero_bin - bins; i <= zero_bin + bins; ++i) below += counts[i];
  return below;
}

inline std::optional<std::uint64_t> Histogram::count_from(int exponent) const noexcept {
  const auto below = count_below(exponent);
  return below ? std::optional(finite() - *below) : std::nullopt;
}

template <class CountsOf>
std::optional<std::array<std::size_t, 2>> Histogram::bins_of(double q, std::size_t bins,
                                                             const CountsOf& counts_of) const {
  if (!detail::is_finite(q) || q < 0 || q > 1) throw Error::bad_quantile(q);
  if (finite() == 0) return std::nullopt;
  const std::uint64_t last = finite() - 1;
  const double place = detail::rounded(q * static_cast<double>(last));  // as numpy computes it
  const auto find = [&](double number) {
    const std::uint64_t n = number < 0x1p64 ? std::min(static_cast<std::uint64_t>(number), last) : last;
    std::size_t i = 0;
    for (std::uint64_t passed = counts_of(0); passed <= n && i + 1 < bins;) passed += counts_of(++i);
    return i;
  };
  return std::array{find(std::floor(place)), find(std::ceil(place))};
}

inline std::optional<Histogram::Bounds> Histogram::quantile(double q) const {
  const auto found = bins_of(q, bin_count, [&](std::size_t i) { return counts[i]; });
  if (!found) return std::nullopt;
  return Bounds{bounds(found->front()).lower, bounds(found->back()).upper};
}

inline std::optional<Histogram::Bounds> Histogram::abs_quantile(double q) const {
  const auto both_signs = [&](std::size_t i) { return i == 0 ? zeros() : counts[zero_bin + i] + counts[zero_bin - i]; };
  const auto found = bins_of(q, 1 + bins_per_sign, both_signs);
  if (!found) return std::nullopt;
  return Bounds{bounds(zero_bin + found->front()).lower, bounds(zero_bin + found->back()).upper};
}

/// The histogram of `view`. Bools are 0 and 1.
/// Numeric: exact; integers are not rounded, whatever their size.
/// Empty: all counts are 0.
/// Throws: complex numbers and strings.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] inline Histogram histogram(const TensorView& view) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  Histogram h;
  h.count = view.size();
  const detail::IeeeMode ieee;
  switch (view.dtype()) {
    case DType::i64: detail::read_integers<std::int64_t>(view, h); break;
    case DType::u64: detail::read_integers<std::uint64_t>(view, h); break;
    default:
      detail::fits_float(view.dtype()) ? detail::read_histogram<float>(view, h)
                                       : detail::read_histogram<double>(view, h);
  }
  return h;
}

/// The same of whatever `as_view` sees a tensor in.
template <class T>
[[nodiscard]] Histogram histogram(const T& tensor) {
  return histogram(as_view(tensor));
}

TENSORTAP_END_NAMESPACE
