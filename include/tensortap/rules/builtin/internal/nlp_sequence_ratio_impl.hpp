// The bodies of nlp_sequence_ratio.hpp.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/nlp_sequence_ratio.hpp>
#include <tensortap/rules/internal/comma_list.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the numbers of a list with commas. Throws: it holds something else.
inline std::vector<double> numbers_of_list(std::string_view rule, std::string_view parameter, std::string_view list) {
  std::vector<double> out;
  for (const std::string& part : parts_of(list)) {
    double number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) throw Error::bad_parameter(rule, parameter, list);
    out.push_back(number);
  }
  return out;
}

/// Returns the share of elements that are `token`; nullopt if it cannot be told.
inline std::optional<double> share_of_token(const JudgedStep& step, const KnownTensor& tensor, double token) {
  if (token == 0) {
    const Statistics* const s = step.statistics(tensor);
    if (s == nullptr || s->count == 0) return std::nullopt;
    return static_cast<double>(s->zeros) / static_cast<double>(s->count);
  }
  const Tensor* const value = step.value(tensor);
  if (value == nullptr || value->dtype() == DType::string || value->size() == 0) return std::nullopt;
  std::size_t found = 0;
  for (std::size_t i = 0; i < value->size(); ++i)
    if (value->number(i) == token) ++found;
  return static_cast<double>(found) / static_cast<double>(value->size());
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> NLPSequenceRatio::required() const {
  return {{.name = "input_sequence", .include_regex = tensor_regex, .save = save}};
}

TENSORTAP_INLINE std::vector<Finding> NLPSequenceRatio::operator()(const JudgedStep& step) {
  constexpr double percent = 100;
  read_lists();
  choice.use({}, tensor_regex);
  std::vector<Finding> out;
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.has(step, *tensor)) continue;
    for (std::size_t i = 0; i < lists.tokens.size(); ++i) {
      const auto share = detail::share_of_token(step, *tensor, lists.tokens[i]);
      if (!share || !(*share * percent > lists.limits[i])) continue;
      out.push_back({.severity = Severity::advice,
                     .tensor = tensor->name,
                     .value = *share * percent,
                     .threshold = lists.limits[i],
                     .message = shortest(*share * percent) + " % of the tokens are " + shortest(lists.tokens[i]) +
                                ", above " + shortest(lists.limits[i]) +
                                " %; batch sequences of similar length, or shorten the padding"});
      break;
    }
  }
  return out;
}

TENSORTAP_INLINE void NLPSequenceRatio::read_lists() {
  if (lists.tokens_text == token_values && lists.limits_text == token_thresholds_percent && !lists.tokens.empty())
    return;
  lists = {.tokens = detail::numbers_of_list(name, "token_values", token_values),
           .limits = detail::numbers_of_list(name, "token_thresholds_percent", token_thresholds_percent)};
  if (lists.tokens.size() != lists.limits.size() || lists.tokens.empty())
    throw Error::bad_parameter(name, "token_thresholds_percent", token_thresholds_percent);
  for (const double limit : lists.limits)
    if (!(limit >= 0 && limit <= 100)) throw Error::bad_threshold(name, limit);
  lists.tokens_text = token_values;
  lists.limits_text = token_thresholds_percent;
}

TENSORTAP_INLINE void NLPSequenceRatio::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex, "names of tensors");
  visitor("token_values", token_values, "tokens, with commas between them");
  visitor("token_thresholds_percent", token_thresholds_percent,
          "for each token, a share in percent that is no finding");
}

TENSORTAP_END_NAMESPACE
