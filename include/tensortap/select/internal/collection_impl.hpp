// The built-in collections.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A collection with a pattern of its own.
struct BuiltinCollection {
  std::string_view name;
  std::string_view pattern;
};

inline std::optional<std::string_view> pattern_of(std::span<const BuiltinCollection> list,
                                                  std::string_view name) noexcept {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& builtin) { return builtin.name == name; });
  if (found == list.end()) return std::nullopt;
  return found->pattern;
}

/// The patterns of smdebug. Source: smdebug 1.0.34, the defaults of its PyTorch and XGBoost hooks.
inline constexpr std::array<BuiltinCollection, 14> smdebug_collections = {{
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

/// The patterns for names that programs in C++ use. A word ends where its letters end, or at a capital: "fc1.weight",
/// "fc1_weight", "fc1Weight". The page of this folder has a table of names, and the tests have all of its rows.
inline constexpr std::array<BuiltinCollection, 4> cpp_collections = {{
    // The word loss; not its scale, its gradient, its input, or a parameter of a loss function.
    {"losses",
     "^(?!(?:.*[/.:])?[Gg]rad(?:ient)?s?[/.:])"
     "(?!.*[^A-Za-z](?:weights?|bias(?:es)?|grad(?:ient)?s?|inputs?)(?:[_:.]?\\d+)?$)"
     "(?:(?:|.*[^A-Za-z])loss|.*Loss|.*LOSS)(?:es|ES)?(?![a-z]|_?[Ss]cal|_input)|[Ll]oss\\d*_(?!input).*output"},
    // The word grad or gradient, but not "grad_norm" and its like; or dW, dw, db, with an index.
    {"gradients",
     "(?:^|[^A-Za-z])[Gg]rad(?:ient)?s?"
     "(?![a-z]|[/._:-]?(?:[Nn]orm|[Ss]caler?|[Pp]enalty|[Cc]lip)(?:$|[_/:])|_loss$)"
     "|[a-z0-9]Grad(?:ient)?s?(?![a-z]|_?[Nn]orm)|(?:^|[/._])d[Wwb]"
     "(?:[_/.:]?\\d+|\\[\\d+\\]|_[A-Za-z]{1,2})?$"},
    // The word weight in the last part of the name, or w with an index; never a gradient.
    {"weights",
     "^(?!(?:|.*[^A-Za-z])[Gg]rad(?:ient)?s?(?:[^a-z]|$)|.*[a-z0-9]Grad)"
     "(?:(?:(?:|.*[^A-Za-z])weight|.*Weight)s?(?![a-z]|_?(?:decay|norm|update|loss))[^/.]*(?:[/.]\\d+)?"
     "|(?:.*[/._])?[Ww](?:[_/.:]?\\d+|\\[\\d+\\]|_[A-Za-z]{1,2})?)$"},
    // The word bias in the last part of the name, or b with an index; never a gradient.
    {"biases",
     "^(?!(?:|.*[^A-Za-z])[Gg]rad(?:ient)?s?(?:[^a-z]|$)|.*[a-z0-9]Grad)"
     "(?:(?:(?:|.*[^A-Za-z])bias|.*Bias)(?:es)?(?![a-z]|_?(?:correction|norm|update|loss))[^/.]*(?:[/.]\\d+)?"
     "|(?:.*[/._])?b(?:[_/.:]?\\d+|\\[\\d+\\]|_[A-Za-z]{1,2})?)$"},
}};

}  // namespace detail

TENSORTAP_INLINE std::vector<std::string> detail::builtin_names() {
  std::vector<std::string> out;
  out.reserve(smdebug_collections.size());  // cpp_collections are among those of smdebug
  for (const BuiltinCollection& builtin : smdebug_collections) out.emplace_back(builtin.name);
  return out;
}

TENSORTAP_INLINE std::optional<std::string_view> builtin_pattern(std::string_view collection) noexcept {
  if (const auto found = detail::pattern_of(detail::cpp_collections, collection)) return found;
  return smdebug_pattern(collection);
}

TENSORTAP_INLINE std::optional<std::string_view> smdebug_pattern(std::string_view collection) noexcept {
  return detail::pattern_of(detail::smdebug_collections, collection);
}

TENSORTAP_END_NAMESPACE
