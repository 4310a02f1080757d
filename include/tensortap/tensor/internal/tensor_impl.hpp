// Allocates and copies owned tensors.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  const TensorView checked(nullptr, dtype_, shape_);
  bytes_.resize(checked.nbytes());
  if (dtype_ == DType::string) strings_.resize(checked.size());
}

TENSORTAP_INLINE Tensor::Tensor(const TensorView& view)
    : Tensor(view.dtype(), Shape(view.shape().begin(), view.shape().end())) {
  if (dtype_ == DType::string) {
    for (std::size_t i = 0; i < strings_.size(); ++i) strings_[i] = view.string(i);
  } else {
    copy_row_major(view, bytes_.data());
  }
}

TENSORTAP_INLINE Tensor::Tensor(std::vector<std::string> strings)
    : dtype_(DType::string), shape_{static_cast<std::int64_t>(strings.size())}, strings_(std::move(strings)) {}

TENSORTAP_INLINE double Tensor::number(std::size_t i) const {
  if (dtype_ == DType::string) throw Error::wrong_type("numbers", to_string(dtype_));
  if (i >= size()) throw Error::damaged("tensor", "element " + std::to_string(i), "beyond the end");
  return visit_dtype(dtype_, [&]<class T>() {
    const T value = static_cast<const T*>(static_cast<const void*>(bytes_.data()))[i];
    if constexpr (std::same_as<T, Half> || std::same_as<T, BFloat16>) {
      return static_cast<double>(static_cast<float>(value));
    } else if constexpr (requires { value.real(); }) {
      return static_cast<double>(value.real());
    } else {
      return static_cast<double>(value);
    }
  });
}

TENSORTAP_INLINE TensorView tensortap_view(const Tensor& tensor) {
  if (tensor.dtype_ == DType::string)
    return TensorView::of_strings(
        tensor.strings_.data(), tensor.strings_.size(),
        [](const void* data, std::size_t i) -> std::string_view { return static_cast<const std::string*>(data)[i]; });
  return {tensor.bytes_.data(), tensor.dtype_, tensor.shape_};
}

TENSORTAP_INLINE void Tensor::require(DType asked) const {
  if (asked != dtype_) throw Error::wrong_type(to_string(asked), to_string(dtype_));
}

TENSORTAP_END_NAMESPACE
