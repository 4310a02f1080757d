// Numbers of many tensors at once, such as all parameters or gradients of a model: one norm, one set of statistics, and
// gradients clipped to a norm.
//
//   std::vector<tensortap::TensorView> views;
//   for (const auto& tensor : gradients) views.push_back(tensortap::as_view(tensor));
//   const double norm = tensortap::global_norm(views, {.threads = 2});
#pragma once

#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/tensor/writable_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the euclidean norm of all elements of all tensors, in float64. NaN propagates, and infinities count.
/// Numeric: the same bits with any number of threads. Empty: 0. Throws: complex numbers and strings.
/// Threads: any; needs 200 KiB of stack. With `options.threads`, other threads help with large tensors.
[[nodiscard]] double global_norm(std::span<const TensorView> tensors, ReduceOptions options = {});

/// Returns the sum of the squares of the elements of each tensor: what `global_norm` adds up before it takes the root.
/// Sums of pieces of a tensor that was cut in the order of additions (README.md) add up to the bits of the whole.
/// Numeric: the same bits with any number of threads; NaN if an element is NaN, else infinity if one is infinite.
/// Throws, Threads: as `global_norm`.
[[nodiscard]] std::vector<double> sums_of_squares(std::span<const TensorView> tensors, ReduceOptions options = {});

/// Returns the statistics of all elements of all tensors, in this order. Indices count through all of them.
/// Numeric: the same bits with any number of threads. Throws: complex numbers and strings.
[[nodiscard]] Statistics statistics(std::span<const TensorView> tensors, ReduceOptions options = {});

/// Scales all tensors in place so that their global norm is at most `max_norm`, and returns the norm before. Leaves
/// them unchanged if that norm is not larger, or not finite.
/// Numeric: multiplies each element by max_norm / norm, rounded to float64; rounds the product to the element's type.
/// A tensor that is given twice counts twice in the norm and is scaled once.
/// Throws: tensors that are not of floating type; other elements that share memory, such as those of a stride 0, of
/// overlapping windows, or of two tensors; a `max_norm` that is negative or NaN. Threads: as `global_norm`.
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training RNNs", 2013.
double clip_grad_norm(std::span<const WritableView> tensors, double max_norm, ReduceOptions options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/reduce/internal/many_impl.hpp>
#endif
