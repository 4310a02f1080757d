// Single numbers of a tensor, in the types in which SageMaker Debugger stores them; several in one pass. Unlike the
// statistics they propagate NaN, and infinities count.
//
//   for (const tensortap::Reduced& r : tensortap::reduce(tensortap::as_view(gradient), {R::min, R::abs_mean, R::l2}))
//     std::cout << to_string(r.reduction) << ' ' << to_string(r.dtype) << ' ' << r.value() << '\n';
//   const double norm = tensortap::l2(gradient);
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/integers.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/narrow.hpp>
#include <tensortap/reduce/internal/over_blocks.hpp>
#include <tensortap/reduce/internal/product.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One reduction of a tensor. `as_view` sees it as a tensor of shape [1], as which it is stored.
struct Reduced {
  Reduction reduction = Reduction::min;
  DType dtype = DType::f64;
  std::array<std::byte, 8> bytes{};  ///< the element, little-endian, at the beginning

  /// As float64: exact, but for integers beyond 2^53.
  [[nodiscard]] double value() const noexcept {
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

  friend TensorView tensortap_view(const Reduced& reduced) {
    const std::int64_t one = 1;
    return {reduced.bytes.data(), reduced.dtype, TensorView::Extents(&one, 1)};
  }
};

/// What `reduce` found, in the order of storage; without heap memory.
class ReducedSet {
 public:
  [[nodiscard]] const Reduced* begin() const noexcept { return values_.data(); }
  [[nodiscard]] const Reduced* end() const noexcept { return values_.data() + size_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  void push_back(const Reduced& reduced) noexcept { values_[size_++] = reduced; }

  std::optional<Statistics> statistics;  ///< if `Reduction::statistics` was asked for

 private:
  std::array<Reduced, reduction_count> values_;
  std::size_t size_ = 0;
};

namespace detail {

/// What the reduction of floats needs to know.
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

/// True for the reductions that keep integers integers.
constexpr bool is_exact(Reduction r) noexcept {
  return plain(r) == Reduction::min || plain(r) == Reduction::max || plain(r) == Reduction::sum ||
         plain(r) == Reduction::prod;
}

/// The reduction `r`, which is not prod, with what the finite part leaves out. Nothing for an extreme of no elements.
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

/// The low bytes of `bits` as an element of type `dtype`.
inline Reduced reduced(Reduction r, DType dtype, std::uint64_t bits) noexcept {
  Reduced result{.reduction = r, .dtype = dtype};
  std::memcpy(result.bytes.data(), &bits, sizeof bits);
  return result;
}

/// One of the exact reductions of integers.
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

/// By reduction.
using Found = std::array<std::optional<Reduced>, reduction_count + 1>;

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

/// Finds, of real numbers, what goes through floats: under `IeeeMode`, which also the last rounding needs.
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
    if (r == Reduction::statistics) {
      statistics = s;
      continue;
    }
    const auto value = plain(r) == Reduction::prod ? factors.value(is_absolute(r)) : float_value(r, s);
    if (value) found[static_cast<std::size_t>(r)] = reduced(r, result, narrowed(*value, result));
  }
}

}  // namespace detail

/// The reductions `wanted` of `view`, in one pass over its elements; a product takes a second one.
/// Shape: norms are those of the flattened tensor, for every rank.
/// Numeric: min and max keep the element type and its very bits; -0 is smaller than 0. Sum and prod of bools and signed
/// integers are int64, of unsigned ones uint64, modulo 2^64; what else there is of integers is float64. Of floats
/// everything keeps the type, is computed in float64 and rounded once. Std and variance divide by N. NaN propagates.
/// The magnitude of the smallest signed integer is taken for the largest one by abs_min and abs_max.
/// Empty: no extremes; mean, std and variance are NaN, sum and norms 0, prod 1.
/// Complex numbers and strings have none of them.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] inline ReducedSet reduce(const TensorView& view, const Reductions& wanted) {
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

/// One reduction, as a number: that which a record of it would give back, so rounded to the type it is stored in.
/// Nothing for the extremes of an empty tensor, for complex numbers and strings, and for `Reduction::statistics`.
[[nodiscard]] inline std::optional<double> reduce(const TensorView& view, Reduction wanted) {
  const ReducedSet found = reduce(view, Reductions{wanted});
  if (found.empty()) return std::nullopt;
  return found.begin()->value();
}

/// The reduction `r` out of statistics, in float64. Nothing for products, and for extremes of no elements.
[[nodiscard]] inline std::optional<double> reduction_of(const Statistics& statistics, Reduction r) noexcept {
  if (plain(r) == Reduction::prod || r == Reduction::statistics) return std::nullopt;
  return detail::float_value(r, statistics);
}

namespace detail {

/// The euclidean norm of a tensor of real numbers. The caller sets the `IeeeMode`.
[[gnu::noinline]] inline double norm(const TensorView& view, ReduceOptions options) {
  const double squares_sum = sum_squares(view, options);
  if (is_finite(squares_sum)) return std::sqrt(squares_sum);
  return *float_value(Reduction::l2, statistics_of(view, squares, options));
}

}  // namespace detail

/// The euclidean norm, in float64, of whatever `as_view` sees a tensor in. NaN propagates. Throws: complex numbers and
/// strings. Threads: as `statistics`.
template <class T>
[[nodiscard]] double l2(const T& tensor, ReduceOptions options = {}) {
  const TensorView view = as_view(tensor);
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  const detail::IeeeMode ieee;
  return detail::norm(view, options);
}

TENSORTAP_END_NAMESPACE
