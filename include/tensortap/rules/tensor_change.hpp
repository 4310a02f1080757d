// How a parameter of the network has changed since an earlier step.
//
//   if (const tensortap::TensorChange* change = step.change(weight); change != nullptr && change->equal) …
#pragma once

#include <cstdint>
#include <limits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The change of a tensor between two steps that saved it. Of a tensor with more than 4096 elements, the sizes are
/// those of 4096 evenly spaced ones; of one whose elements were not saved, they are the least that the statistics
/// allow.
struct TensorChange {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  std::int64_t steps = 0;        ///< mode steps between the two
  std::int64_t unchanged = 0;    ///< how many pairs of steps in a row were equal, this one included
  std::int64_t still_since = 0;  ///< the mode step since which it has not changed
  bool equal = false;            ///< whether all bits are equal; without elements: all numbers that were saved
  bool ever_changed = false;     ///< whether any pair so far was unequal
  bool is_bound = false;         ///< whether `rms` is only the least that it can be
  double rms = unknown;          ///< the root mean square of the change. Numeric: NaN if an element is not finite
  double rms_before = unknown;   ///< that of the elements before
};

TENSORTAP_END_NAMESPACE
