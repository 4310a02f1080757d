// The reductions of SageMaker Debugger. Exact ones of integers are found with integers; all others come from statistics
// and products, rounded to the type in which they are stored.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/product.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduce/internal/tensor_statistics.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Extremes in the element type, and sums and products modulo 2^64; those of signed integers are the bits of int64.
template <class T>
struct IntegerTotals {
  using Magnitude = std::make_unsigned_t<T>;

  T min = std::numeric_limits<T>::max();
  T max = std::numeric_limits<T>::min();
  Magnitude smallest = std::numeric_limits<Magnitude>::max();  ///< magnitude
  std::uint64_t sum = 0;
  std::uint64_t abs_sum = 0;
  std::uint64_t prod = 1;
  std::uint64_t abs_prod = 1;

  /// Returns the largest integer for the smallest one of a signed type, whose magnitude does not fit.
  [[nodiscard]] T abs_min() const noexcept { return saturated(smallest); }
  [[nodiscard]] T abs_max() const noexcept { return saturated(std::max(magnitude(min), magnitude(max))); }

  static Magnitude magnitude(T x) noexcept {
    const auto bits = static_cast<Magnitude>(x);
    if constexpr (std::is_signed_v<T>) return x < 0 ? static_cast<Magnitude>(0 - bits) : bits;
    return bits;
  }

 private:
  static T saturated(Magnitude magnitude) noexcept {
    return static_cast<T>(std::min(magnitude, static_cast<Magnitude>(std::numeric_limits<T>::max())));
  }
};

/// Adds the elements of a block, in registers.
template <class T, bool products>
void add_integers(const Block& block, bool truth, IntegerTotals<T>& totals) noexcept {
  IntegerTotals<T> t = totals;
  for (std::size_t k = 0; k < block.count; ++k) {
    T x = load<T>(block.elements + k * sizeof(T));
    if (truth) x = x != 0;
    const auto magnitude = IntegerTotals<T>::magnitude(x);
    t.min = std::min(t.min, x);
    t.max = std::max(t.max, x);
    t.smallest = std::min(t.smallest, magnitude);
    t.sum += static_cast<std::uint64_t>(x);  // extends the sign
    t.abs_sum += magnitude;
    if constexpr (products) {
      t.prod *= static_cast<std::uint64_t>(x);
      t.abs_prod *= magnitude;
    }
  }
  totals = t;
}

/// Returns the totals of `view`, whose elements are T. Bools are read as uint8, 0 or 1. Multiplies only if `products`.
template <class T>
[[gnu::noinline]] IntegerTotals<T> integer_totals(const TensorView& view, bool products) {
  alignas(64) std::byte buffer[block_size * sizeof(T)];
  IntegerTotals<T> totals;
  const bool truth = view.dtype() == DType::boolean;
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = raw_block(view, i, buffer);
    products ? add_integers<T, true>(block, truth, totals) : add_integers<T, false>(block, truth, totals);
  }
  return totals;
}

/// Returns the parts of the statistics that a reduction of floats needs.
constexpr unsigned parts_of(Reduction r) noexcept {
  switch (plain(r)) {
    case Reduction::min:
    case Reduction::max: return extremes;
    case Reduction::mean:
    case Reduction::sum:
    case Reduction::l1: return sums;
    case Reduction::l2: return squares;
    case Reduction::std:
    case Reduction::variance: return everything | deviations;
    case Reduction::statistics: return whole;
    default: return 0;
  }
}

/// Returns true for the reductions of integers that are integers.
constexpr bool is_exact(Reduction r) noexcept {
  return plain(r) == Reduction::min || plain(r) == Reduction::max || plain(r) == Reduction::sum ||
         plain(r) == Reduction::prod;
}

/// Returns the reduction `r`, which is not prod, with NaN and infinities included; nothing for an extreme of no
/// elements.
inline std::optional<double> float_value(Reduction r, const Statistics& s) noexcept {
  const double nan = number_of(nan_bits);
  const double inf = number_of(infinity_bits<double>);
  const bool absolute = is_absolute(r);
  const bool any_inf = s.positive_inf + s.negative_inf > 0;
  const auto total = [&] {
    if (absolute || plain(r) == Reduction::l1) return any_inf ? inf : s.abs_sum;
    if (s.positive_inf > 0 && s.negative_inf > 0) return nan;
    return s.positive_inf > 0 ? inf : s.negative_inf > 0 ? number_of(infinity_bits<double> | sign_bit<double>) : s.sum;
  };
  const bool extreme = plain(r) == Reduction::min || plain(r) == Reduction::max;
  if (extreme && s.count == 0) return std::nullopt;
  if (s.nan > 0) return nan;
  switch (plain(r)) {
    case Reduction::min:
      if (!absolute && s.negative_inf > 0) return number_of(infinity_bits<double> | sign_bit<double>);
      return s.finite() == 0 ? inf : absolute ? s.abs_min : s.min;
    case Reduction::max:
      if (absolute ? any_inf : s.positive_inf > 0) return inf;
      return s.finite() == 0 ? number_of(infinity_bits<double> | sign_bit<double>) : absolute ? s.abs_max : s.max;
    case Reduction::l2: return any_inf ? inf : s.l2();
    case Reduction::mean: return s.count == 0 ? nan : any_inf ? total() : absolute ? s.abs_mean() : s.mean();
    case Reduction::variance: return any_inf ? nan : absolute ? s.abs_variance() : s.variance();
    case Reduction::std: return any_inf ? nan : absolute ? s.abs_std() : s.std();
    default: return total();  // sum and l1
  }
}

/// Makes a result from the low bytes of `bits`, an element of type `dtype`.
inline Reduced reduced(Reduction r, DType dtype, std::uint64_t bits) noexcept {
  Reduced result{.reduction = r, .dtype = dtype};
  std::memcpy(result.bytes.data(), &bits, sizeof bits);
  return result;
}

/// Returns one of the exact reductions of integers.
template <class T>
std::optional<Reduced> integer_value(Reduction r, const TensorView& view, const IntegerTotals<T>& totals) noexcept {
  const bool absolute = is_absolute(r);
  const DType wide = std::is_signed_v<T> || view.dtype() == DType::boolean ? DType::i64 : DType::u64;
  const auto element = [&](T x) -> std::optional<Reduced> {
    if (view.size() == 0) return std::nullopt;
    return reduced(r, view.dtype(), static_cast<std::make_unsigned_t<T>>(x));
  };
  switch (plain(r)) {
    case Reduction::sum: return reduced(r, wide, absolute ? totals.abs_sum : totals.sum);
    case Reduction::prod: return reduced(r, wide, absolute ? totals.abs_prod : totals.prod);
    case Reduction::min: return element(absolute ? totals.abs_min() : totals.min);
    default: return element(absolute ? totals.abs_max() : totals.max);
  }
}

/// The results by reduction.
using Found = std::array<std::optional<Reduced>, all_reductions_count>;

/// Finds the exact reductions of integers among `wanted`.
template <class T>
void reduce_integers(const TensorView& view, const Reductions& wanted, Found& found) {
  const auto totals = integer_totals<T>(view, wanted.contains(Reduction::prod) || wanted.contains(Reduction::abs_prod));
  for (const Reduction r : wanted)
    if (is_exact(r)) found[static_cast<std::size_t>(r)] = integer_value(r, view, totals);
}

inline void reduce_integers(const TensorView& view, const Reductions& wanted, Found& found) {
  switch (view.dtype()) {
    case DType::i8: return reduce_integers<std::int8_t>(view, wanted, found);
    case DType::i16: return reduce_integers<std::int16_t>(view, wanted, found);
    case DType::i32: return reduce_integers<std::int32_t>(view, wanted, found);
    case DType::i64: return reduce_integers<std::int64_t>(view, wanted, found);
    case DType::u16: return reduce_integers<std::uint16_t>(view, wanted, found);
    case DType::u32: return reduce_integers<std::uint32_t>(view, wanted, found);
    case DType::u64: return reduce_integers<std::uint64_t>(view, wanted, found);
    default: return reduce_integers<std::uint8_t>(view, wanted, found);  // u8 and bool
  }
}

/// Finds all other reductions. The caller sets the `IeeeMode`, which the last rounding needs too.
[[gnu::noinline]] inline void reduce_floats(const TensorView& view, const Reductions& wanted, Found& found,
                                            std::optional<Statistics>& statistics) {
  const bool floating = is_floating(view.dtype());
  const DType result = floating ? view.dtype() : DType::f64;
  unsigned parts = 0;
  bool product = false;
  for (const Reduction r : wanted) {
    if (!floating && is_exact(r)) continue;
    parts |= parts_of(r);
    product = product || plain(r) == Reduction::prod;
  }
  Statistics s;
  s.count = view.size();
  if (parts != 0) s = statistics_of(view, parts);
  const Product factors = product ? product_of(view) : Product{};
  for (const Reduction r : wanted) {
    if (!floating && is_exact(r)) continue;
    if (is_record(r)) {
      if (r == Reduction::statistics) statistics = s;
      continue;
    }
    const auto value = plain(r) == Reduction::prod ? factors.value(is_absolute(r)) : float_value(r, s);
    if (value) found[static_cast<std::size_t>(r)] = reduced(r, result, narrowed(*value, result));
  }
}

/// Returns the euclidean norm of a tensor of real numbers. The caller sets the `IeeeMode`.
[[gnu::noinline]] inline double norm(const TensorView& view, ReduceOptions options) {
  const double squares_sum = sum_squares(view, options);
  if (is_finite(squares_sum)) return std::sqrt(squares_sum);
  return *float_value(Reduction::l2, statistics_of(view, squares, options));
}

}  // namespace detail

TENSORTAP_INLINE double Reduced::value() const noexcept {
  return visit_dtype(dtype, [&]<class T>() -> double {
    if constexpr (sizeof(T) > 8 || requires(T t) { t.real(); }) {
      return 0;  // no reduction is complex
    } else {
      T element;
      std::memcpy(&element, bytes.data(), sizeof element);
      if constexpr (requires { element.bits; })
        return static_cast<double>(static_cast<float>(element));
      else
        return static_cast<double>(element);
    }
  });
}

TENSORTAP_INLINE ReducedSet reduce(const TensorView& view, const Reductions& wanted) {
  ReducedSet out;
  if (!is_real(view.dtype())) return out;
  detail::Found found;
  bool integers = false;
  for (const Reduction r : wanted) integers = integers || (!is_floating(view.dtype()) && detail::is_exact(r));
  if (integers) detail::reduce_integers(view, wanted, found);
  const detail::IeeeMode ieee;
  detail::reduce_floats(view, wanted, found, out.statistics);
  for (const Reduction r : wanted)
    if (const auto& result = found[static_cast<std::size_t>(r)]) out.push_back(*result);
  return out;
}

TENSORTAP_INLINE std::optional<double> reduce(const TensorView& view, Reduction wanted) {
  const ReducedSet found = reduce(view, Reductions{wanted});
  if (found.empty()) return std::nullopt;
  return found.begin()->value();
}

TENSORTAP_INLINE std::optional<double> reduction_of(const Statistics& statistics, Reduction r) noexcept {
  if (plain(r) == Reduction::prod || is_record(r)) return std::nullopt;
  return detail::float_value(r, statistics);
}

TENSORTAP_INLINE double l2(const TensorView& view, ReduceOptions options) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  const detail::IeeeMode ieee;
  return detail::norm(view, options);
}

TENSORTAP_END_NAMESPACE
