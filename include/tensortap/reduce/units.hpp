// The statistics of each unit of a layer in one pass over the elements of its outputs, inputs, or gradients.
//
//   const tensortap::UnitStatistics s = tensortap::unit_statistics(view);
//   std::cout << s.units << " units, the norm of the first is " << s.list[0].l2() << '\n';
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the statistics of the units of a tensor, the same bits on every machine. Throws: complex numbers and
/// strings. Threads: any; needs 200 KiB of stack.
[[nodiscard]] UnitStatistics unit_statistics(const TensorView& view);

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] UnitStatistics unit_statistics(const T& tensor) {
  return unit_statistics(as_view(tensor));
}

namespace detail {

/// The same, in the memory of `out`.
void find_units(const TensorView& view, UnitStatistics& out);

}  // namespace detail

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/units_impl.hpp>
#endif
