// Which tensors enter the network.
#pragma once

#include <array>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the last part of a name says that the tensor enters the network.
inline bool is_named_as_input(std::string_view name) {
  const std::size_t slash = name.find_last_of("/.:");
  const std::string last = in_lower_case(name.substr(slash == std::string_view::npos ? 0 : slash + 1));
  for (const std::string_view word : {"input", "inputs", "image", "images", "input_image", "input_images", "features"})
    if (last == word) return true;
  return false;
}

/// Returns the tensor that enters the network: of the saved inputs and outputs of layers, the first one if it is an
/// input; else one with such a name. The input of an activation is none. Null: it was not saved.
inline const KnownTensor* network_input(const JudgedStep& step) {
  const KnownTensor* named = nullptr;
  const KnownTensor* first = nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    if (first == nullptr && (tensor->role == Role::layer_input || tensor->role == Role::layer_output)) first = tensor;
    if (named == nullptr && tensor->role == Role::other && is_named_as_input(tensor->name)) named = tensor;
  }
  if (named != nullptr) return named;
  const bool is_input = first != nullptr && first->role == Role::layer_input && first->activation == Activation::none;
  return is_input ? first : nullptr;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
