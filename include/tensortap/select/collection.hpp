// A collection: a named group of tensors, and what is saved of them when.
//
//   tensortap::Collection gradients{.name = "gradients", .save = tensortap::every(100), .reductions = {R::l2}};
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A group of tensors by name or pattern. A tensor may belong to several; what each asks for is united.
struct Collection {
  std::string name;                            ///< a built-in name brings its default pattern
  Patterns include_regex = {};                 ///< tensors whose name one of these finds
  std::vector<std::string> tensor_names = {};  ///< and these, by name
  std::optional<SaveConfig> save = {};         ///< when; left out: the hook's
  Reductions reductions = {};                  ///< what of them
  std::optional<bool> save_raw_tensor = {};    ///< the elements themselves; left out: yes, unless there are reductions
  bool save_shape = false;                     ///< the shape alone, without the elements
  bool save_histogram = true;                  ///< for TensorBoard

  /// Whether the elements are saved.
  [[nodiscard]] bool saves_raw() const noexcept { return save_raw_tensor.value_or(reductions.empty() && !save_shape); }

  friend bool operator==(const Collection&, const Collection&) = default;
};

/// The pattern a collection of this name has if it is given none: smdebug's, for names of the form `layer.weight`,
/// `gradient/layer.weight`; nothing for other names.
inline std::optional<std::string_view> builtin_pattern(std::string_view collection) noexcept {
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
