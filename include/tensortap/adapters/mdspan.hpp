// A tensor seen as a std::mdspan, without a copy, where the standard library has it: C++23, g++ 15 or libc++ 17 and
// later. TENSORTAP_HAS_MDSPAN says whether it has.
//
//   const auto weight = tensortap::mdspan_of<float, 2>(tensor);
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <version>
#if __has_include(<mdspan>)
#include <mdspan>
#endif

#include <tensortap/adapters/internal/value_shape.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>

#ifdef __cpp_lib_mdspan
#define TENSORTAP_HAS_MDSPAN 1

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

template <class T, std::size_t Rank, class AnyTensor>
auto mdspan_of(AnyTensor& tensor) {
  require_rank("mdspan_of", tensor, Rank, Rank, "ask for the rank that it has");
  std::array<std::size_t, Rank> extents{};
  for (std::size_t axis = 0; axis < Rank; ++axis) extents[axis] = extent_of(tensor, axis);
  return std::mdspan<T, std::dextents<std::size_t, Rank>>(tensor.template as<std::remove_const_t<T>>().data(), extents);
}

}  // namespace detail

/// Returns a span of the elements, which changes them. Throws: the elements are not of type T; the tensor has another
/// rank. Lifetime: as long as the tensor.
template <Element T, std::size_t Rank>
[[nodiscard]] std::mdspan<T, std::dextents<std::size_t, Rank>> mdspan_of(Tensor& tensor) {
  return detail::mdspan_of<T, Rank>(tensor);
}

/// As above, of a constant tensor.
template <Element T, std::size_t Rank>
[[nodiscard]] std::mdspan<const T, std::dextents<std::size_t, Rank>> mdspan_of(const Tensor& tensor) {
  return detail::mdspan_of<const T, Rank>(tensor);
}

template <Element T, std::size_t Rank>
void mdspan_of(Tensor&&) = delete;  // the span would outlive the tensor

TENSORTAP_END_NAMESPACE
#else
#define TENSORTAP_HAS_MDSPAN 0
#endif
