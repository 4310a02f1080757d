// The statistics of one tensor.
#pragma once

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/tensor_statistics.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE Statistics statistics(const TensorView& view, ReduceOptions options) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  return detail::statistics_of(view, detail::whole, options);
}

TENSORTAP_END_NAMESPACE
