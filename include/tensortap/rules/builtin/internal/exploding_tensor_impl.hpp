// The bodies of exploding_tensor.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/exploding_tensor.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the coordinates of element `index` of a row-major tensor.
inline std::string coordinates_of(std::uint64_t index, const std::vector<std::int64_t>& shape) {
  std::string out = "]";
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    const auto extent = static_cast<std::uint64_t>(shape[axis]);
    out.insert(0, (axis > 0 ? ", " : "") + std::to_string(index % extent));
    index /= extent;
  }
  return "[" + out;
}

/// Returns `bits` in hexadecimal, with as many digits as it needs.
inline std::string bits_text(std::uint64_t bits) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (; bits != 0 || out.empty(); bits >>= 4) out.insert(out.begin(), digits[bits & 15]);
  return "0x" + out;
}

/// Returns what is wrong with a tensor of which statistics are known; nullopt if it holds nothing that is wanted.
inline std::optional<std::string> non_finite_text(const JudgedStep& step, const KnownTensor& tensor,
                                                  const Statistics& s, bool only_nan) {
  if (only_nan ? s.nan == 0 : s.non_finite() == 0) return std::nullopt;
  std::string out = std::to_string(s.nan) + " NaN and " + std::to_string(s.positive_inf + s.negative_inf) +
                    " infinities among " + std::to_string(s.count) + " elements";
  if (!s.first_non_finite) return out;
  out += "; the first is element " + std::to_string(*s.first_non_finite);
  if (const Tensor* const value = step.value(tensor); value != nullptr && value->rank() > 1)
    out += " at " + coordinates_of(*s.first_non_finite, value->shape());
  return out + " with bits " + bits_text(s.non_finite_bits);
}

/// Returns what is wrong with a tensor of which only reductions are known. `value`: the reduction in question. A sum
/// that is finite has finite terms; without terms, as in an empty tensor, a mean is NaN.
inline std::optional<std::string> non_finite_reduction(const JudgedStep& step, const KnownTensor& tensor, bool only_nan,
                                                       double& value) {
  for (const Reduction r : {Reduction::sum, Reduction::l1, Reduction::l2})
    if (const auto sum = step.reduction(tensor, r); sum && std::isfinite(*sum)) return std::nullopt;
  for (std::size_t i = 0; i < reduction_count; ++i) {
    const auto r = static_cast<Reduction>(i);
    if (plain(r) == Reduction::prod) continue;  // of finite elements, it may overflow
    const auto reduced = step.reduction(tensor, r);
    if (!reduced || (only_nan ? !std::isnan(*reduced) : std::isfinite(*reduced))) continue;
    value = *reduced;
    return "its " + std::string(to_string(r)) + " is " + shortest(value);
  }
  return std::nullopt;
}

/// Returns whether a tensor is a mask of attention: an input of a layer, or named so, and all elements are 0 or
/// -infinity.
inline bool is_mask(const JudgedStep& step, const KnownTensor& tensor) {
  if (tensor.role != Role::layer_input && !contains_in_any_case(tensor.name, "mask")) return false;
  if (const Statistics* const s = step.statistics(tensor))
    return s->negative_inf > 0 && s->nan == 0 && s->positive_inf == 0 && s->zeros > 0 && s->zeros == s->finite();
  const auto max = step.reduction(tensor, Reduction::max);
  const auto mean = step.reduction(tensor, Reduction::mean);
  return max && *max == 0 && mean && std::isinf(*mean);
}

/// Returns which of the tensors were finite, in the order in which they were saved: the last ones by name.
inline std::string finite_before(const std::vector<const KnownTensor*>& finite) {
  if (finite.empty()) return "; no finite tensor was saved before it";
  constexpr std::size_t most_names = 8;
  const std::size_t begin = finite.size() - std::min(finite.size(), most_names);
  std::string out = "; finite before it: ";
  if (begin > 0) out += std::to_string(begin) + " tensors, then ";
  for (std::size_t i = begin; i < finite.size(); ++i) out += (i > begin ? ", " : "") + in_quotes(finite[i]->name);
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> ExplodingTensor::required() const {
  return {{.name = "losses", .save = every(1)},
          {.name = "gradients", .save = save, .reductions = {Reduction::statistics}},
          {.name = "weights", .save = save, .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE std::vector<Finding> ExplodingTensor::operator()(const JudgedStep& step) {
  choice.use(collection_names, tensor_regex);
  std::vector<Finding> out;
  const std::span<const KnownTensor* const> saved = step.saved();
  const auto text_of = [&](const KnownTensor& tensor, double& value) {
    const Statistics* const s = step.statistics(tensor);
    const bool is_left_out = choice.empty() && !masks && detail::is_mask(step, tensor);
    if (is_left_out) return std::optional<std::string>();
    if (s == nullptr) return detail::non_finite_reduction(step, tensor, only_nan, value);
    value = static_cast<double>(only_nan ? s->nan : s->non_finite());
    return detail::non_finite_text(step, tensor, *s, only_nan);
  };
  for (std::size_t i = 0; i < saved.size(); ++i) {
    if (!choice.empty() && !choice.has(step, *saved[i])) continue;
    double value = 0;
    auto text = text_of(*saved[i], value);
    if (!text) continue;
    if (out.empty()) {
      std::vector<const KnownTensor*> finite;
      for (const KnownTensor* before : saved.first(i)) {
        double ignored = 0;
        if (!text_of(*before, ignored)) finite.push_back(before);
      }
      *text += detail::finite_before(finite);
      *text += finite.empty() && i == 0
                   ? "; check the data and the state that the run starts from"
                   : "; look at what computes it from those, at the learning rate, and at divisions and logarithms";
    }
    out.push_back({.tensor = saved[i]->name, .value = value, .message = std::move(*text)});
  }
  return out;
}

TENSORTAP_INLINE void ExplodingTensor::visit(ParameterVisitor& visitor) {
  visitor("collection_names", collection_names, "collections, with commas between them; empty: see tensor_regex");
  visitor("tensor_regex", tensor_regex, "names of tensors, with commas between them; both empty: all tensors");
  visitor("only_nan", only_nan, "true: an infinity is no finding");
  visitor("masks", masks, "true: a mask of attention, whose elements are 0 or -infinity, is a finding, too");
}

TENSORTAP_END_NAMESPACE
