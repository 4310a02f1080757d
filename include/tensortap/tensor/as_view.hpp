// as_view() makes a view of a tensor of any framework. It recognises frameworks by the members of their types, so none
// of their headers is needed. A type of your own needs one function in its namespace:
//
//   tensortap::TensorView tensortap_view(const MyTensor& t) { return {t.data, tensortap::DType::f32, t.shape}; }
//
// It may have a second parameter, `std::string_view name`: the name under which the tensor is saved, for error
// messages.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

template <class T>
concept HasOwnView = requires(const T& t) {
  { tensortap_view(t) } -> std::convertible_to<TensorView>;
};

/// As above, with the name under which the tensor is saved, for error messages.
template <class T>
concept HasOwnNamedView = requires(const T& t, std::string_view name) {
  { tensortap_view(t, name) } -> std::convertible_to<TensorView>;
};

template <class T>
concept TorchLike = requires(const T& t) {
  t.sizes();
  t.strides();
  t.scalar_type();
  t.is_cpu();
  t.data_ptr();
};

template <class T>
concept XtensorLike = requires(const T& t) {
  t.dimension();
  t.shape();
  t.strides();
  t.data();
  t.data_offset();
};

template <class T>
concept EigenLike = requires(const T& t) {
  t.rows();
  t.cols();
  t.innerStride();
  t.outerStride();
  t.data();
  T::IsRowMajor;
};

/// Armadillo's Mat, Col, Row and Cube: column-major, and contiguous ranges too.
template <class T>
concept ArmadilloLike = requires(const T& t) {
  t.n_rows;
  t.n_cols;
  t.memptr();
};

/// Returns true if a type has more axes than a range shows. A view of the range alone would have a wrong shape.
template <class T>
concept HasAxes = requires(const T& t) {
  t.rows();
}
|| requires(const T& t) { t.rows; }
|| requires(const T& t) { t.n_rows; }
|| requires(const T& t) { t.size1(); }
|| requires(const T& t) { t.shape(); }
|| requires(const T& t) { t.shape; }
|| requires(const T& t) { t.extents(); }
|| requires(const T& t) { t.extent(0); }
|| requires(const T& t) { t.dimensions(); }
|| requires(const T& t) { t.sizes(); }
|| requires(const T& t) { t.dims(); };

template <class T>
concept LazyExpression = (
                             requires(const T& t) {
                               t.dimension();
                               t.shape();
                             } ||
                             requires(const T& t) {
                               t.rows();
                               t.cols();
                             } ||
                             requires(const T& t) {
                               t.n_rows;
                               t.n_cols;
                             }) &&
                         !XtensorLike<T> && !EigenLike<T> && !ArmadilloLike<T>;

template <class T>
concept StringLike = std::convertible_to<const T&, std::string_view>;

template <class T>
concept StringRange = std::ranges::contiguous_range<const T> && StringLike<std::ranges::range_value_t<const T>>;

template <class T>
concept ElementRange = std::ranges::contiguous_range<const T> && std::ranges::sized_range<const T> &&
    Element<std::ranges::range_value_t<const T>> && !HasAxes<T>;

template <class T>
concept NestedRange = std::ranges::range<const T> && !StringLike<std::ranges::range_value_t<const T>> &&
                      std::ranges::range<std::ranges::range_value_t<const T>>;

template <class T>
concept PackedBits =
    std::same_as<typename T::value_type, bool> && !std::ranges::contiguous_range<const T> && requires(const T& t) {
  t.size();
};

template <class T>
inline constexpr bool never = false;

/// Returns the element type with number `scalar_type` in c10::ScalarType. The numbers are part of torch's serialised
/// format. Throws: the library does not know the type; `name` is for the message.
DType dtype_of_torch(int scalar_type, std::string_view name);

template <TorchLike T>
TensorView view_of_torch(const T& t, std::string_view name) {
  if constexpr (requires { t.defined(); })
    if (!t.defined()) throw Error::undefined_tensor(name);
  if constexpr (requires { t.layout(); })
    if (static_cast<int>(t.layout()) != 0) throw Error::sparse_tensor(name);  // 0 is c10::Layout::Strided
  if (!t.is_cpu()) throw Error::device_tensor(name);
  if constexpr (requires {
                  t.is_conj();
                  t.is_neg();
                })
    if (t.is_conj() || t.is_neg()) throw Error::lazy_conjugate(name);
  const auto sizes = t.sizes();
  const auto strides = t.strides();
  return {t.data_ptr(), dtype_of_torch(static_cast<int>(t.scalar_type()), name),
          TensorView::Extents(sizes.data(), sizes.size()), TensorView::Extents(strides.data(), strides.size())};
}

template <XtensorLike T>
TensorView view_of_xtensor(const T& t) {
  using Value = std::remove_cvref_t<decltype(*t.data())>;
  static_assert(Element<Value>,
                "tensortap: the element type of this xtensor container is not supported; convert it first");
  const std::size_t rank = t.dimension();
  if (rank > TensorView::max_rank) throw Error::rank_too_large(rank, TensorView::max_rank);
  std::array<std::int64_t, TensorView::max_rank> shape{};
  std::array<std::int64_t, TensorView::max_rank> strides{};
  for (std::size_t axis = 0; axis < rank; ++axis) {
    shape[axis] = static_cast<std::int64_t>(t.shape()[axis]);
    strides[axis] = static_cast<std::int64_t>(t.strides()[axis]);  // 0 where the extent is 1
  }
  return {t.data() + t.data_offset(), *dtype_v<Value>, {shape.data(), rank}, {strides.data(), rank}};
}

template <EigenLike T>
TensorView view_of_eigen(const T& t) {
  using Value = std::remove_cvref_t<decltype(*t.data())>;
  static_assert(Element<Value>, "tensortap: the element type of this Eigen object is not supported; convert it first");
  const auto inner = static_cast<std::int64_t>(t.innerStride());
  if constexpr (T::IsVectorAtCompileTime) {
    const auto extent = static_cast<std::int64_t>(t.size());
    return {t.data(), *dtype_v<Value>, {&extent, 1}, {&inner, 1}};
  } else {
    const auto outer = static_cast<std::int64_t>(t.outerStride());
    const std::array<std::int64_t, 2> shape = {static_cast<std::int64_t>(t.rows()),
                                               static_cast<std::int64_t>(t.cols())};
    const std::array<std::int64_t, 2> strides = {T::IsRowMajor ? outer : inner, T::IsRowMajor ? inner : outer};
    return {t.data(), *dtype_v<Value>, shape, strides};
  }
}

template <ArmadilloLike T>
TensorView view_of_armadillo(const T& t) {
  using Value = std::remove_cvref_t<decltype(*t.memptr())>;
  static_assert(Element<Value>,
                "tensortap: the element type of this Armadillo object is not supported; convert it first");
  const auto rows = static_cast<std::int64_t>(t.n_rows);
  const auto cols = static_cast<std::int64_t>(t.n_cols);
  if constexpr (requires { t.n_slices; }) {
    const std::array<std::int64_t, 3> shape = {rows, cols, static_cast<std::int64_t>(t.n_slices)};
    const std::array<std::int64_t, 3> strides = {1, rows, rows * cols};
    return {t.memptr(), *dtype_v<Value>, shape, strides};
  } else if constexpr (requires { requires T::is_col || T::is_row; }) {
    const std::int64_t extent = rows * cols;
    return {t.memptr(), *dtype_v<Value>, {&extent, 1}};
  } else {
    const std::array<std::int64_t, 2> shape = {rows, cols};
    const std::array<std::int64_t, 2> strides = {1, rows};
    return {t.memptr(), *dtype_v<Value>, shape, strides};
  }
}

}  // namespace detail

/// Returns a view of `tensor`: a scalar (shape [1]), a string, a contiguous range (shape [n]), an xtensor, Eigen,
/// Armadillo or torch tensor, a `TensorView`, a `Tensor`, or a type with `tensortap_view`. A framework's tensor without
/// axes has rank 0. A lazy expression does not compile. Throws: a device, sparse or undefined tensor; `name` is for the
/// message. Lifetime: as long as `tensor`.
template <class T>
[[nodiscard]] TensorView as_view(const T& tensor, std::string_view name = {}) {
  if constexpr (std::same_as<T, TensorView>) {
    return tensor;
  } else if constexpr (detail::HasOwnNamedView<T>) {
    return tensortap_view(tensor, name);
  } else if constexpr (detail::HasOwnView<T>) {
    return tensortap_view(tensor);
  } else if constexpr (detail::StringLike<T>) {
    return TensorView::of_strings(
        &tensor, 1, [](const void* data, std::size_t) -> std::string_view { return *static_cast<const T*>(data); });
  } else if constexpr (Element<T>) {
    const std::int64_t one = 1;
    return {&tensor, *dtype_v<T>, TensorView::Extents(&one, 1)};
  } else if constexpr (detail::TorchLike<T>) {
    return detail::view_of_torch(tensor, name);
  } else if constexpr (detail::XtensorLike<T>) {  // before ranges: xt::xarray is a contiguous range too
    return detail::view_of_xtensor(tensor);
  } else if constexpr (detail::EigenLike<T>) {
    return detail::view_of_eigen(tensor);
  } else if constexpr (detail::ArmadilloLike<T>) {  // before ranges, too
    return detail::view_of_armadillo(tensor);
  } else if constexpr (detail::StringRange<T>) {
    using Value = std::ranges::range_value_t<const T>;
    return TensorView::of_strings(
        std::ranges::data(tensor), std::ranges::size(tensor),
        [](const void* data, std::size_t i) -> std::string_view { return static_cast<const Value*>(data)[i]; });
  } else if constexpr (detail::ElementRange<T>) {
    const auto extent = static_cast<std::int64_t>(std::ranges::size(tensor));
    return {std::ranges::data(tensor), *dtype_v<std::ranges::range_value_t<const T>>, TensorView::Extents(&extent, 1)};
  } else {
    static_assert(!detail::PackedBits<T>,
                  "tensortap: std::vector<bool> packs its elements into bits; use std::vector<std::uint8_t> instead");
    static_assert(!detail::LazyExpression<T>,
                  "tensortap: this is a lazy expression without memory of its own; evaluate it first");
    static_assert(
        !detail::NestedRange<T>,
        "tensortap: a container of containers is not one tensor; save each inner one under a name of its own, "
        "or copy them into one contiguous array and pass a TensorView with its shape");
    static_assert(!std::is_pointer_v<T>,
                  "tensortap: a pointer has no size; pass std::span(pointer, size), or a TensorView with its shape");
    static_assert(detail::never<T> || std::is_pointer_v<T> || detail::PackedBits<T> || detail::LazyExpression<T> ||
                      detail::NestedRange<T>,
                  "tensortap: this type is not a tensor; pass a scalar, a contiguous range, an xtensor, Eigen, "
                  "Armadillo or torch tensor, or, as for a matrix whose layout is unknown, write tensortap_view(const "
                  "T&) in its namespace");
    return {};
  }
}

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/tensor/internal/as_view_impl.hpp>
#endif
