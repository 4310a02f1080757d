// Single numbers of a tensor, in the types in which SageMaker Debugger stores them; several in one pass. Unlike the
// statistics they propagate NaN, and infinities count.
//
//   for (const tensortap::Reduced& r : tensortap::reduce(tensortap::as_view(gradient), {R::min, R::abs_mean, R::l2}))
//     std::cout << to_string(r.reduction) << ' ' << to_string(r.dtype) << ' ' << r.value() << '\n';
//   const double norm = tensortap::l2(gradient);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One reduction of a tensor. as_view() gives it the shape [1], in which it is stored.
struct Reduced {
  Reduction reduction = Reduction::min;
  DType dtype = DType::f64;
  std::array<std::byte, 8> bytes{};  ///< the element, little-endian, at the beginning

  /// Returns the element as float64: exact, except for integers beyond 2^53.
  [[nodiscard]] double value() const noexcept;

  friend TensorView tensortap_view(const Reduced& reduced) {
    const std::int64_t one = 1;
    return {reduced.bytes.data(), reduced.dtype, TensorView::Extents(&one, 1)};
  }
};

/// The results of `reduce` in the order of storage, without heap memory.
class ReducedSet {
 public:
  [[nodiscard]] const Reduced* begin() const noexcept { return values_.data(); }
  [[nodiscard]] const Reduced* end() const noexcept { return values_.data() + size_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  void push_back(const Reduced& reduced) noexcept { values_[size_++] = reduced; }

  std::optional<Statistics> statistics;  ///< if `Reduction::statistics` is wanted

 private:
  std::array<Reduced, reduction_count> values_;
  std::size_t size_ = 0;
};

/// Computes the reductions `wanted` of `view` in one pass over its elements; a product takes a second pass. Skips
/// `Reduction::units`, see reduce/units.hpp.
/// Shape: any; norms are those of the flattened tensor.
/// Numeric: min and max return the bits of an element; -0 is smaller than 0. Sum and prod of bools and signed integers
/// are int64, of unsigned ones uint64, modulo 2^64; all other reductions of integers are float64. Reductions of floats
/// keep their type; they are computed in float64 and rounded once. Std and variance divide by N. NaN propagates.
/// abs_min and abs_max use the largest integer for the magnitude of the smallest one of a signed type.
/// Empty: no extremes; mean, std and variance are NaN, sum and norms 0, prod 1. No results for complex numbers and
/// strings.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] ReducedSet reduce(const TensorView& view, const Reductions& wanted);

/// Returns one reduction as a number, rounded to the type in which a record stores it.
/// Empty: nothing for extremes. Returns nothing for complex numbers and strings, and for records of several numbers.
[[nodiscard]] std::optional<double> reduce(const TensorView& view, Reduction wanted);

/// Computes the reduction `r` from statistics, in float64. Returns nothing for products and for extremes of no
/// elements.
[[nodiscard]] std::optional<double> reduction_of(const Statistics& statistics, Reduction r) noexcept;

/// Returns the euclidean norm in float64. NaN propagates. Throws: complex numbers and strings.
/// Threads: as `statistics`.
[[nodiscard]] double l2(const TensorView& view, ReduceOptions options = {});

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] double l2(const T& tensor, ReduceOptions options = {}) {
  return l2(as_view(tensor), options);
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/reduce_impl.hpp>
#endif
