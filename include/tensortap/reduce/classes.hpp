// Counts of classes: how many labels, or predictions, of a batch are of each class. Saved step by step, they tell how
// labels are distributed, and whether a network always predicts the same, without the elements.
//
//   if (const auto counts = tensortap::class_counts(view)) std::cout << counts->front() << " of class 0\n";
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The largest number of classes.
inline constexpr std::size_t most_classes = 4096;

/// Returns the number of examples by class. The class of a row of a matrix of floats is that of its largest element,
/// the first of several; rows with NaN are left out. So is that of a row of a matrix of integers or bools, if each row
/// has a single 1 beside zeros. In other tensors, each element is the class of an example: a whole number. Negative
/// integers are left out, as labels that are to be ignored. Empty: nothing, if there are no elements, if an element is
/// no whole number or a negative float, or if there are more than 4096 classes; so for complex numbers and strings.
/// Threads: any; needs 100 KiB of stack.
[[nodiscard]] std::optional<std::vector<std::int64_t>> class_counts(const TensorView& view);

/// Accepts any type that as_view() accepts.
template <class T>
[[nodiscard]] std::optional<std::vector<std::int64_t>> class_counts(const T& tensor) {
  return class_counts(as_view(tensor));
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/classes_impl.hpp>
#endif
