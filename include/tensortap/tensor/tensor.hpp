// A tensor that owns its elements. Trials return it.
//
//   tensortap::Tensor tensor(tensortap::DType::f32, {2, 3});
//   std::span<float> elements = tensor.as<float>();
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// An owned tensor: row-major and contiguous. A tensor of strings has one axis. Functions that return references return
/// values if the tensor is a temporary, so that `for (float x : Tensor(view).as<float>())` is safe.
class Tensor {
 public:
  using Shape = std::vector<std::int64_t>;

  Tensor() = default;

  /// Makes a tensor of zeros. Throws: as TensorView does.
  Tensor(DType dtype, Shape shape);

  /// Copies the elements of `view`.
  explicit Tensor(const TensorView& view);

  /// Makes a tensor of strings of shape [n].
  explicit Tensor(std::vector<std::string> strings);

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const& noexcept { return shape_; }
  [[nodiscard]] Shape shape() && noexcept { return std::move(shape_); }
  [[nodiscard]] std::size_t rank() const noexcept { return shape_.size(); }
  /// Returns the number of elements; 1 for rank 0.
  [[nodiscard]] std::size_t size() const noexcept {
    return dtype_ == DType::string ? strings_.size() : bytes_.size() / size_of(dtype_);
  }
  /// Returns the elements as little-endian bytes in row-major order; empty for strings.
  [[nodiscard]] std::span<const std::byte> bytes() const& noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() & noexcept { return bytes_; }
  [[nodiscard]] std::vector<std::byte> bytes() && noexcept { return std::move(bytes_); }
  [[nodiscard]] const std::vector<std::string>& strings() const& noexcept { return strings_; }
  [[nodiscard]] std::vector<std::string> strings() && noexcept { return std::move(strings_); }

  /// Returns the elements. Throws: T is not the element type.
  template <Element T>
  [[nodiscard]] std::span<const T> as() const& {
    require(*dtype_v<T>);
    return {static_cast<const T*>(static_cast<const void*>(bytes_.data())), size()};
  }
  template <Element T>
  [[nodiscard]] std::span<T> as() & {
    require(*dtype_v<T>);
    return {static_cast<T*>(static_cast<void*>(bytes_.data())), size()};
  }
  template <Element T>
  [[nodiscard]] std::vector<T> as() && {
    const std::span<T> elements = as<T>();
    return {elements.begin(), elements.end()};
  }

  /// Returns element `i`, of any type, as a double; the real part of a complex number.
  /// Throws: the elements are strings; `i` is beyond the end.
  [[nodiscard]] double number(std::size_t i) const;

  /// Returns a view of the tensor. Lifetime: as long as the tensor.
  friend TensorView tensortap_view(const Tensor& tensor);

  friend bool operator==(const Tensor&, const Tensor&) = default;

 private:
  void require(DType asked) const;

  DType dtype_ = DType::f32;
  Shape shape_ = {0};
  std::vector<std::byte> bytes_;  // operator new aligns it for every element type
  std::vector<std::string> strings_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/tensor/internal/tensor_impl.hpp>
#endif
