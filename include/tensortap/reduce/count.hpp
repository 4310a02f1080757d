// Counts the elements of a tensor in an interval: dead units, saturated activations. Elements of every type are
// compared exactly, integers beyond 2^53 included. statistics.hpp counts NaN, infinities and zeros; histogram.hpp
// counts all magnitudes.
//
//   const std::uint64_t dead = tensortap::count_at_most(gradient, 0);
//   const std::uint64_t small = tensortap::count_between(gradient, -0.5, 0.5);   // the ends are inside
//   std::cout << dead << " and " << small << " of " << gradient.size() << '\n';
#pragma once

#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Counts the elements x with lower <= x <= upper. The ends may be infinite, and infinite elements count. NaN lies in
/// no interval, and an interval with an end of NaN is empty. Numeric: exact. The ends are not rounded: long double
/// holds every integer of 64 bits. Both zeros are equal; True is 1. Empty: 0. Throws: complex numbers and strings.
/// Threads: any; needs 40 KiB of stack.
[[nodiscard]] std::uint64_t count_between(const TensorView& view, long double lower, long double upper);

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] std::uint64_t count_between(const T& tensor, long double lower, long double upper) {
  return count_between(as_view(tensor), lower, upper);
}

/// Counts the elements x <= bound, -infinity included. With bound 0, these are the inputs for which a rectifier returns
/// 0. Otherwise like `count_between`.
[[nodiscard]] std::uint64_t count_at_most(const TensorView& view, long double bound);

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] std::uint64_t count_at_most(const T& tensor, long double bound) {
  return count_at_most(as_view(tensor), bound);
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/count_impl.hpp>
#endif
