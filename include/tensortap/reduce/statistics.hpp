// All statistics of a tensor in one pass over its elements. Sums are taken in float64 from the first element on, in one
// order: the same bits on every machine, with any number of threads.
//
//   const tensortap::Statistics s = tensortap::statistics(gradient);
//   if (s.non_finite() > 0) std::cerr << "first at element " << *s.first_non_finite << '\n';
//   std::cout << s.mean() << " +- " << s.std() << ", norm " << s.l2() << '\n';
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns all statistics of a tensor. Throws: complex numbers and strings.
/// Threads: any; needs 200 KiB of stack. With `options.threads`, other threads help.
[[nodiscard]] Statistics statistics(const TensorView& view, ReduceOptions options = {});

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] Statistics statistics(const T& tensor, ReduceOptions options = {}) {
  return statistics(as_view(tensor), options);
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/statistics_impl.hpp>
#endif
