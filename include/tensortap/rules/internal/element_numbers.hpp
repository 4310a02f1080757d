// The elements of a tensor as numbers, for loops over all of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `visit` of the elements: a span of float or double; other types are converted to double. A tensor of strings
/// has none.
template <class Visit>
decltype(auto) with_numbers(const Tensor& tensor, Visit visit) {
  if (tensor.dtype() == DType::f32) return visit(tensor.as<float>());
  if (tensor.dtype() == DType::f64) return visit(tensor.as<double>());
  std::vector<double> numbers(tensor.dtype() == DType::string ? 0 : tensor.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = tensor.number(i);
  return visit(std::span<const double>(numbers));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
