// The bodies of known_tensor.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Returns the activation that a lower-case name contains.
inline Activation activation_in(std::string_view lower) {
  constexpr std::array<std::pair<std::string_view, Activation>, 4> words = {{{"relu", Activation::relu},
                                                                             {"tanh", Activation::tanh},
                                                                             {"sigmoid", Activation::sigmoid},
                                                                             {"softmax", Activation::softmax}}};
  for (const auto& [word, activation] : words)
    if (lower.find(word) != std::string_view::npos) return activation;
  return Activation::none;
}

/// Returns the layer of "LAYER_input_0", "LAYER_output_0", "LAYER_output" …; nullopt if `word` is not there.
inline std::optional<std::string> layer_before(std::string_view name, std::string_view word) {
  const std::size_t at = name.rfind(word);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = name.substr(at + word.size());
  const bool is_index = rest.empty() || (rest[0] == '_' && rest.size() > 1 &&
                                         rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
  if (!is_index) return std::nullopt;
  return std::string(name.substr(0, at));
}

inline const Pattern& pattern_of_builtin(std::string_view collection) {
  static const std::array<std::pair<std::string_view, Pattern>, 4> patterns = {{
      {"losses", Pattern(std::string(*builtin_pattern("losses")))},
      {"gradients", Pattern(std::string(*builtin_pattern("gradients")))},
      {"weights", Pattern(std::string(*builtin_pattern("weights")))},
      {"biases", Pattern(std::string(*builtin_pattern("biases")))},
  }};
  return std::find_if(patterns.begin(), patterns.end(), [&](const auto& entry) { return entry.first == collection; })
      ->second;
}

}  // namespace detail

TENSORTAP_INLINE NameRole role_of(std::string_view name) {
  const std::string lower = detail::in_lower_case(name);
  std::string_view words = lower;  // without a number at the end, as in "labels_0"
  while (!words.empty() && words.back() >= '0' && words.back() <= '9') words.remove_suffix(1);
  while (words.size() < lower.size() && !words.empty() && (words.back() == '_' || words.back() == '/'))
    words.remove_suffix(1);
  const auto ends_as = [&](std::string_view word) { return words.ends_with(word); };
  NameRole out;
  if (detail::pattern_of_builtin("gradients").finds(name)) {
    out.role = Role::gradient;
    out.subject = detail::parameter_of_gradient(name);
    return out;
  }
  if (lower.find("loss_input_1") != std::string::npos || ends_as("labels") || ends_as("label") || ends_as("targets") ||
      ends_as("target") || ends_as("y_true")) {
    out.role = Role::labels;
  } else if (lower.find("loss_input_0") != std::string::npos || ends_as("predictions") || ends_as("prediction") ||
             ends_as("y_pred") || ends_as("logits")) {
    out.role = Role::predictions;
  } else if (detail::pattern_of_builtin("losses").finds(name)) {
    out.role = Role::loss;
  } else if (detail::pattern_of_builtin("weights").finds(name)) {
    out.role = Role::weight;
  } else if (detail::pattern_of_builtin("biases").finds(name)) {
    out.role = Role::bias;
  } else if (auto before_input = detail::layer_before(name, "_input")) {
    out.role = Role::layer_input;
    out.subject = std::move(*before_input);
  } else if (auto before_output = detail::layer_before(name, "_output")) {
    out.role = Role::layer_output;
    out.subject = std::move(*before_output);
  }
  out.activation = detail::activation_in(lower);
  return out;
}

TENSORTAP_END_NAMESPACE
