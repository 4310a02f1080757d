// The bodies of exploding_tensor.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/exploding_tensor.hpp>
#include <tensortap/select/pattern.hpp>
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

/// Returns how many tensors of the step were saved before `tensor`, and the last of them.
inline std::string saved_before(const JudgedStep& step, const KnownTensor& tensor) {
  const KnownTensor* last = nullptr;
  std::size_t count = 0;
  for (const KnownTensor* one : step.saved()) {
    if (one == &tensor) break;
    last = one;
    ++count;
  }
  if (last == nullptr) return "; it is the first tensor of the step";
  return "; the " + std::to_string(count) + " tensors before it are finite, the last is " + in_quotes(last->name);
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Finding> ExplodingTensor::operator()(const JudgedStep& step) const {
  const std::optional<Pattern> wanted = tensor_regex.empty() ? std::nullopt : std::optional<Pattern>(tensor_regex);
  std::vector<Finding> out;
  for (const KnownTensor* tensor : step.saved()) {
    if (wanted && !wanted->finds(tensor->name)) continue;
    std::optional<std::string> text;
    double value = std::numeric_limits<double>::quiet_NaN();
    if (const Statistics* const s = step.statistics(*tensor)) {
      text = detail::non_finite_text(step, *tensor, *s, only_nan);
      value = static_cast<double>(only_nan ? s->nan : s->non_finite());
    } else {
      for (const Reduction r : {Reduction::max, Reduction::min, Reduction::mean, Reduction::abs_max,
                                Reduction::abs_mean, Reduction::l1, Reduction::l2}) {
        const auto reduced = step.reduction(*tensor, r);
        if (!reduced) continue;
        value = *reduced;
        if (only_nan ? std::isnan(value) : !std::isfinite(value))
          text = "its " + std::string(to_string(r)) + " is " + shortest(value);
        break;
      }
    }
    if (!text) continue;
    if (out.empty()) *text += detail::saved_before(step, *tensor);
    out.push_back({.tensor = tensor->name, .value = value, .message = *text});
  }
  return out;
}

TENSORTAP_INLINE void ExplodingTensor::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex, "names of tensors; empty: all");
  visitor("only_nan", only_nan, "true: an infinity is no finding");
}

TENSORTAP_END_NAMESPACE
