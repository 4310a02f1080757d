// The function that a layer computes: its name tells it, or its elements do, if what comes before it was saved, too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the function that makes `out` of `in`, by some of the elements; none if they do not tell.
inline Activation activation_between(const Tensor& in, const Tensor& out) {
  constexpr std::size_t most = 64;
  constexpr double tolerance = 1e-5;
  if (in.dtype() == DType::string || out.dtype() == DType::string || in.size() != out.size()) return Activation::none;
  const std::size_t count = std::min(most, in.size());
  bool is_relu = true, is_tanh = true, is_sigmoid = true;
  bool has_negative = false, has_large = false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * in.size() / count;
    const double x = in.number(at);
    const double y = out.number(at);
    if (!std::isfinite(x) || !std::isfinite(y)) return Activation::none;
    has_negative = has_negative || x < 0;
    has_large = has_large || std::abs(x) > 0.1;  // below, tanh is hardly more than a line
    is_relu = is_relu && y == std::max(x, 0.0);
    is_tanh = is_tanh && std::abs(y - std::tanh(x)) <= tolerance;
    is_sigmoid = is_sigmoid && std::abs(y - 1 / (1 + std::exp(-x))) <= tolerance;
  }
  if (is_relu && has_negative) return Activation::relu;
  if (is_tanh && has_large) return Activation::tanh;
  return is_sigmoid && count > 0 ? Activation::sigmoid : Activation::none;
}

/// Returns the function that makes `tensor`. `before`: the layer's input or output that was saved just before it, null
/// if there is none. `known` and `tests` are a part of a rule's state: a few steps must do.
inline Activation activation_of(const JudgedStep& step, const KnownTensor& tensor, const KnownTensor* before,
                                Activation& known, std::int64_t& tests) {
  constexpr std::int64_t most_tests = 8;
  if (tensor.role == Role::layer_output && tensor.activation != Activation::none) return tensor.activation;
  if (known != Activation::none || before == nullptr || tests >= most_tests) return known;
  const Tensor* const in = step.value(*before);
  const Tensor* const out = step.value(tensor);
  if (in == nullptr || out == nullptr) return known;
  ++tests;
  return known = activation_between(*in, *out);
}

/// Returns whether the tensor is the input or output of a layer.
inline bool is_of_layer(const KnownTensor& tensor) {
  return tensor.role == Role::layer_input || tensor.role == Role::layer_output;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
