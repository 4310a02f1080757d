// The built-in collections.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::optional<std::string_view> builtin_pattern(std::string_view collection) noexcept {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> patterns = {{
      {"all", ".*"},
      {"weights", "^(?!gradient).*weight"},
      {"biases", "^(?!gradient).*bias"},
      {"gradients", "^gradient"},
      {"losses", "[Ll]oss_(?!input).*output"},
      {"relu_output", ".*relu_output"},
      {"relu_input", ".*relu_input"},
      {"hyperparameters", "^hyperparameters/.*$"},
      {"predictions", "^predictions$"},
      {"labels", "^labels$"},
      {"feature_importance", "^feature_importance/.*"},
      {"average_shap", "^average_shap/.*[^/bias]$"},
      {"full_shap", "^full_shap/.*[^/bias]$"},
      {"trees", "^trees/.*"},
  }};
  const auto* found =
      std::find_if(patterns.begin(), patterns.end(), [&](const auto& p) { return p.first == collection; });
  if (found == patterns.end()) return std::nullopt;
  return found->second;
}

TENSORTAP_END_NAMESPACE
