// A tensor that owns its elements: what a Trial returns.
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

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Row-major and contiguous; strings have one axis.
class Tensor {
 public:
  using Shape = std::vector<std::int64_t>;

  Tensor() = default;

  /// All zero. Throws as TensorView does.
  Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
    const TensorView checked(nullptr, dtype_, shape_);
    bytes_.resize(checked.nbytes());
    if (dtype_ == DType::string) strings_.resize(checked.size());
  }

  /// A copy of what `view` looks at.
  explicit Tensor(const TensorView& view) : Tensor(view.dtype(), Shape(view.shape().begin(), view.shape().end())) {
    if (dtype_ == DType::string) {
      for (std::size_t i = 0; i < strings_.size(); ++i) strings_[i] = view.string(i);
    } else {
      copy_row_major(view, bytes_.data());
    }
  }

  /// Strings as a tensor of shape [n].
  explicit Tensor(std::vector<std::string> strings)
      : dtype_(DType::string), shape_{static_cast<std::int64_t>(strings.size())}, strings_(std::move(strings)) {}

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t rank() const noexcept { return shape_.size(); }
  /// Number of elements; 1 for rank 0.
  [[nodiscard]] std::size_t size() const noexcept {
    return dtype_ == DType::string ? strings_.size() : bytes_.size() / size_of(dtype_);
  }
  /// Little-endian row-major elements; empty for strings.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return bytes_; }
  [[nodiscard]] const std::vector<std::string>& strings() const noexcept { return strings_; }

  /// The elements as T. Throws if T is not the element type.
  template <Element T>
  [[nodiscard]] std::span<const T> as() const {
    require(*dtype_v<T>);
    return {reinterpret_cast<const T*>(bytes_.data()), size()};
  }
  template <Element T>
  [[nodiscard]] std::span<T> as() {
    require(*dtype_v<T>);
    return {reinterpret_cast<T*>(bytes_.data()), size()};
  }

  /// Element `i` as a double, whatever the type; the real part of a complex one. Throws for strings and beyond the end.
  [[nodiscard]] double number(std::size_t i) const {
    if (dtype_ == DType::string) throw Error::wrong_type("numbers", to_string(dtype_));
    if (i >= size()) throw Error::damaged("tensor", "element " + std::to_string(i), "beyond the end");
    return visit_dtype(dtype_, [&]<class T>() {
      const T value = reinterpret_cast<const T*>(bytes_.data())[i];
      if constexpr (std::same_as<T, Half> || std::same_as<T, BFloat16>) {
        return static_cast<double>(static_cast<float>(value));
      } else if constexpr (requires { value.real(); }) {
        return static_cast<double>(value.real());
      } else {
        return static_cast<double>(value);
      }
    });
  }

  /// A view of this tensor, valid while it lives.
  friend TensorView tensortap_view(const Tensor& tensor) {
    if (tensor.dtype_ == DType::string)
      return TensorView::of_strings(
          tensor.strings_.data(), tensor.strings_.size(),
          [](const void* data, std::size_t i) -> std::string_view { return static_cast<const std::string*>(data)[i]; });
    return {tensor.bytes_.data(), tensor.dtype_, tensor.shape_};
  }

  friend bool operator==(const Tensor&, const Tensor&) = default;

 private:
  void require(DType asked) const {
    if (asked != dtype_) throw Error::wrong_type(to_string(asked), to_string(dtype_));
  }

  DType dtype_ = DType::f32;
  Shape shape_ = {0};
  std::vector<std::byte> bytes_;  // operator new aligns it for every element type
  std::vector<std::string> strings_;
};

TENSORTAP_END_NAMESPACE
