// What rules know of a tensor: its role in the training, which its collections and its name tell.
//
//   for (const tensortap::KnownTensor* gradient : step.with_role(tensortap::Role::gradient)) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a tensor is in a training.
enum class Role : std::uint8_t {
  other,
  loss,
  metric,
  weight,
  bias,
  gradient,
  layer_input,
  layer_output,
  labels,
  predictions,  ///< probabilities, logits or classes, one row for each example
};

/// The number of roles.
inline constexpr std::size_t role_count = 10;

/// The function that a layer computes, as its name tells.
enum class Activation : std::uint8_t { none, relu, tanh, sigmoid, softmax };

/// What a name tells.
struct NameRole {
  Role role = Role::other;
  Activation activation = Activation::none;
  std::string subject = {};  ///< the parameter of a gradient; the layer of an input or output; else empty
};

/// Returns the role that `name` tells: the names of smdebug's hooks, and those that the built-in collections find.
NameRole role_of(std::string_view name);

/// A tensor of a run. `id` counts the tensors in the order in which they were first saved.
struct KnownTensor {
  std::size_t id = 0;
  std::string name = {};
  Role role = Role::other;
  Activation activation = Activation::none;
  std::string subject = {};
};

/// The gradient of the weights of a layer in one step.
struct LayerGradient {
  const KnownTensor* tensor = nullptr;
  const KnownTensor* weight = nullptr;  ///< null: no step had it
  double rms = 0;                       ///< the root mean square of its elements
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/known_tensor_impl.hpp>
#endif
