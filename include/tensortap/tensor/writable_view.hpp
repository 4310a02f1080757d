// A view of a tensor whose elements may be changed in place.
//
//   std::vector<float> weights(10);
//   const tensortap::WritableView view(weights);
//   static_cast<float*>(view.data())[3] = 1;
#pragma once

#include <iterator>
#include <type_traits>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns false if the type of a tensor shows that its elements are constant.
template <class T>
constexpr bool has_writable_elements() {
  if constexpr (std::ranges::contiguous_range<T>)
    return !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<T>>>;
  else if constexpr (requires(T & t) { *t.data(); })
    return !std::is_const_v<std::remove_reference_t<decltype(*std::declval<T&>().data())>>;
  else
    return true;
}

}  // namespace detail

/// A view through which the elements can be changed. Lifetime: as long as the tensor.
class WritableView : public TensorView {
 public:
  /// Makes a view of any type that as_view() accepts. Throws: as as_view() does.
  template <class T>
  requires(!std::is_const_v<T> && !std::is_base_of_v<TensorView, T>) explicit WritableView(T& tensor)
      : TensorView(as_view(tensor)) {
    static_assert(detail::has_writable_elements<T>(), "tensortap: the elements of this tensor are constant");
  }

  /// Returns the address of the first element.
  [[nodiscard]] void* data() const noexcept { return const_cast<void*>(TensorView::data()); }
};

TENSORTAP_END_NAMESPACE
