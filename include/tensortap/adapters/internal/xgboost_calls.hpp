// Calls of XGBoost's C API: failures become errors, arrays become views. An array belongs to XGBoost, and is valid
// until the next call on the same booster or matrix.
#pragma once

#include <xgboost/c_api.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::xgboost {

/// Returns the error of `call`: the first line of `cause`, without the time of day.
inline Error failure(std::string_view call, std::string_view cause) {
  cause = cause.substr(0, cause.find("\nStack trace"));
  if (cause.starts_with('[') && cause.find("] ") != std::string_view::npos)
    cause.remove_prefix(cause.find("] ") + std::string_view("] ").size());
  while (!cause.empty() && (cause.back() == '\n' || cause.back() == ' ' || cause.back() == '.')) cause.remove_suffix(1);
  return {Errc::invalid_option, "xgboost: " + std::string(call) + ": " + escaped(cause) +
                                    "; see whether the booster and the matrices still exist and fit together"};
}

/// Throws if `result`, which `call` has returned, is a failure.
inline void require(int result, std::string_view call) {
  if (result != 0) throw failure(call, XGBGetLastError());
}

/// Throws if XGBoost promises `count` elements and returns no address.
inline void require_memory(const void* address, std::uint64_t count, std::string_view call) {
  if (address == nullptr && count > 0) throw failure(call, "it returned no memory");
}

/// Returns the view of an array with `rank` extents.
inline TensorView view_of(const float* data, const bst_ulong* shape, bst_ulong rank, std::string_view call) {
  require_memory(shape, rank, call);
  if (rank > TensorView::max_rank) throw Error::rank_too_large(rank, TensorView::max_rank);
  std::int64_t extents[TensorView::max_rank] = {};
  for (std::size_t axis = 0; axis < rank; ++axis) extents[axis] = static_cast<std::int64_t>(shape[axis]);
  const TensorView view(data, DType::f32, {extents, rank});
  require_memory(data, view.size(), call);
  return view;
}

/// Returns the values of kind `type` that a booster predicts: 0 predictions, 2 contributions of the features.
inline TensorView predict(BoosterHandle booster, DMatrixHandle matrix, int type) {
  const std::string config = "{\"type\":" + std::to_string(type) +
                             ",\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false}";
  const bst_ulong* shape = nullptr;
  bst_ulong rank = 0;
  const float* data = nullptr;
  constexpr std::string_view call = "XGBoosterPredictFromDMatrix";
  require(XGBoosterPredictFromDMatrix(booster, matrix, config.c_str(), &shape, &rank, &data), call);
  return view_of(data, shape, rank, call);
}

/// Returns the labels of a matrix: one for each row, or some.
inline TensorView labels_of(DMatrixHandle matrix) {
  bst_ulong rows = 0;
  bst_ulong count = 0;
  const float* data = nullptr;
  require(XGDMatrixNumRow(matrix, &rows), "XGDMatrixNumRow");
  require(XGDMatrixGetFloatInfo(matrix, "label", &count, &data), "XGDMatrixGetFloatInfo");
  const bool is_table = rows > 0 && count > rows && count % rows == 0;
  const bst_ulong shape[2] = {is_table ? rows : count, is_table ? count / rows : 1};
  return view_of(data, shape, is_table ? 2 : 1, "XGDMatrixGetFloatInfo");
}

/// Returns the names of the features: those of the booster, else "f0", "f1" …
inline std::vector<std::string> feature_names(BoosterHandle booster) {
  bst_ulong count = 0;
  bst_ulong known = 0;
  const char** names = nullptr;
  require(XGBoosterGetNumFeature(booster, &count), "XGBoosterGetNumFeature");
  require(XGBoosterGetStrFeatureInfo(booster, "feature_name", &known, &names), "XGBoosterGetStrFeatureInfo");
  std::vector<std::string> out;
  for (bst_ulong i = 0; i < count; ++i) out.push_back(known == count ? names[i] : "f" + std::to_string(i));
  return out;
}

/// Returns the booster's configuration, which is JSON.
inline std::string configuration(BoosterHandle booster) {
  bst_ulong size = 0;
  const char* text = nullptr;
  require(XGBoosterSaveJsonConfig(booster, &size, &text), "XGBoosterSaveJsonConfig");
  require_memory(text, size, "XGBoosterSaveJsonConfig");
  return {text, size};
}

/// Returns the number that all of `text` is; empty: it is none.
inline std::optional<double> number(std::string_view text) {
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// Returns the whole number that all of `text` is; empty: it is none.
inline std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// Returns the shortest text of a float that XGBoost has written with 9 digits: "0.3" for "0.300000012". Any other text
/// stays as it is.
inline std::string shortest_float(const std::string& text) {
  const auto value = number(text);
  if (!value || !std::isfinite(*value)) return text;
  const auto narrow = static_cast<float>(*value);
  char digits[64];
  const auto nine = std::to_chars(digits, digits + sizeof digits, narrow, std::chars_format::general, 9);
  if (text != std::string_view(digits, static_cast<std::size_t>(nine.ptr - digits))) return text;
  return {digits, std::to_chars(digits, digits + sizeof digits, narrow).ptr};
}

/// Returns each `"key":"value"` of a JSON text, at any depth, the first of each key. XGBoost's parameters are all
/// texts.
inline std::vector<std::pair<std::string, std::string>> text_members(std::string_view json) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto read_text = [&](std::size_t& at) {  // at the opening quote
    std::string text;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
      if (json[at] == '\\' && at + 1 < json.size()) ++at;
      text += json[at];
    }
    ++at;
    return text;
  };
  for (std::size_t at = json.find('"'); at < json.size(); at = json.find('"', at)) {
    std::string key = read_text(at);
    if (at + 1 >= json.size() || json[at] != ':' || json[at + 1] != '"') continue;
    ++at;
    std::string value = read_text(at);
    bool is_known = false;
    for (const auto& [other, _] : out) is_known = is_known || other == key;
    if (!is_known) out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

/// Returns the measures in the text of XGBoosterEvalOneIter, as "[3]\ttrain-rmse:0.5\tvalidation-auc:0.7". Throws: the
/// text has another form.
inline std::vector<std::pair<std::string, double>> metrics(std::string_view text) {
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t begin = text.find('\t'); begin < text.size();) {
    const std::size_t end = std::min(text.find('\t', begin + 1), text.size());
    const std::string_view one = text.substr(begin + 1, end - begin - 1);
    const std::size_t colon = one.rfind(':');
    const auto value = colon < one.size() ? number(one.substr(colon + 1)) : std::nullopt;
    if (!value) throw failure("XGBoosterEvalOneIter", "the text " + in_quotes(one) + " is no name and number");
    out.emplace_back(one.substr(0, colon), *value);
    begin = end;
  }
  return out;
}

}  // namespace detail::xgboost
TENSORTAP_END_NAMESPACE
