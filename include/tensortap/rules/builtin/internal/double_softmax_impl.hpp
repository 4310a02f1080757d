// The bodies of double_softmax.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/double_softmax.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns what enters the loss of a step: its own input, else the last output of a layer before it; null if neither
/// was saved.
inline const KnownTensor* input_of_loss(const JudgedStep& step, std::string_view loss) {
  const std::string_view stem = loss.substr(0, loss.rfind("_output"));
  constexpr std::string_view input = "_input_0";
  const KnownTensor* last = nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    const std::string_view name = tensor->name;
    if (name.size() == stem.size() + input.size() && name.starts_with(stem) && name.ends_with(input)) return tensor;
    if (tensor->role == Role::layer_output) last = tensor;
  }
  return last;
}

/// Returns whether the elements are as those that a softmax over `classes` classes gives, or, for 1 class, a sigmoid;
/// nullopt if that cannot be told.
inline std::optional<bool> is_probability(const JudgedStep& step, const KnownTensor& scores, std::int64_t classes) {
  constexpr double tolerance = 1e-3;
  const auto low = step.reduction(scores, Reduction::min);
  const auto high = step.reduction(scores, Reduction::max);
  const auto mean = step.reduction(scores, Reduction::mean);
  if (!low || !high || !mean || !std::isfinite(*mean)) return std::nullopt;
  if (!(*low >= 0 && *high <= 1 && *low < *high)) return false;
  return classes == 1 || std::abs(*mean * static_cast<double>(classes) - 1) < tolerance;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> DoubleSoftmax::required() const {
  return {{.name = "losses", .save = every(1)},
          {.name = "scores", .include_regex = "[Ll]oss_input_0$", .save = save, .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE std::vector<Finding> DoubleSoftmax::operator()(const JudgedStep& step) {
  if (patience < 1) throw Error::bad_threshold(name, static_cast<double>(patience));
  const LossSeries& loss = step.facts().trained_loss();
  if (!loss.in_step) return {};
  const bool is_binary = detail::contains_in_any_case(loss.tensor, "bcewithlogits");
  if (!is_binary && !detail::contains_in_any_case(loss.tensor, "crossentropyloss")) return {};
  const KnownTensor* const scores = detail::input_of_loss(step, loss.tensor);
  if (scores == nullptr) return {};
  const Tensor* const value = step.value(*scores);
  const bool has_classes = value != nullptr && value->rank() > 1;
  const std::int64_t classes = is_binary ? 1 : has_classes ? value->shape()[1] : step.facts().outputs;
  if (classes < (is_binary ? 1 : 2)) return {};
  const auto found = detail::is_probability(step, *scores, classes);
  if (!found) return {};
  in_a_row = *found ? in_a_row + 1 : 0;
  if (in_a_row < (is_binary ? 4 * patience : patience)) return {};
  return {{.tensor = scores->name,
           .value = static_cast<double>(in_a_row),
           .threshold = static_cast<double>(patience),
           .message = "it holds probabilities of " + std::to_string(classes) +
                      (is_binary ? " class, and " : " classes, and ") + loss.tensor +
                      " expects scores; leave out the last " + (is_binary ? "sigmoid" : "softmax")}};
}

TENSORTAP_INLINE void DoubleSoftmax::visit(ParameterVisitor& visitor) {
  visitor("patience", patience, "steps in a row, four times as many for a sigmoid");
}

TENSORTAP_END_NAMESPACE
