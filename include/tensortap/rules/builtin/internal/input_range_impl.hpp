// The bodies of input_range.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/input_range.hpp>
#include <tensortap/rules/builtin/internal/network_input.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the elements are names of things, as the tokens that an embedding reads: integers, also as real
/// numbers. Whole numbers in a tensor of rank 4 are pixels.
inline bool holds_names(const JudgedStep& step, const KnownTensor& tensor, const Statistics& s) {
  constexpr std::size_t rank_of_images = 4;
  if (in_lower_case(tensor.name).find("embed") != std::string::npos) return true;
  const Tensor* const value = step.value(tensor);
  const bool are_whole = s.min == std::floor(s.min) && s.max == std::floor(s.max) && s.sum == std::floor(s.sum);
  if (are_whole && s.min != s.max && (value == nullptr || value->rank() != rank_of_images)) return true;
  if (value == nullptr) return false;
  const DType type = value->dtype();
  return type != DType::f16 && type != DType::bf16 && type != DType::f32 && type != DType::f64;
}

/// Returns what is wrong with inputs of these statistics, and what to try; nullopt if nothing is.
inline std::optional<std::string> input_fault(const Statistics& s, double rms, double min_rms, double max_rms) {
  if (rms > max_rms) {
    const bool is_pixels = s.min >= 0 && s.max <= 255 && s.min == std::floor(s.min) && s.max == std::floor(s.max);
    return "its root mean square is " + shortest(rms) + ", above " + shortest(max_rms) +
           (is_pixels ? "; pixels from 0 to 255 should be divided by 255"
                      : "; scale the inputs to a mean of 0 and a standard deviation of 1");
  }
  if (rms < min_rms)
    return "its root mean square is " + shortest(rms) + ", below " + shortest(min_rms) +
           "; see whether the inputs are loaded, and scale them to a standard deviation of 1";
  if (s.min == s.max)
    return "all " + std::to_string(s.count) + " elements are " + shortest(s.min) +
           "; see whether the inputs are loaded";
  return std::nullopt;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> InputRange::required() const {
  return {{.name = "inputs",
           .include_regex = tensor_regex.empty() ? std::string("input_0$") : tensor_regex,
           .save = save,
           .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE std::vector<Finding> InputRange::operator()(const JudgedStep& step) {
  for (const double limit : {max_rms, min_rms})
    if (!(limit >= 0)) throw Error::bad_threshold(name, limit);
  if (patience < 1) throw Error::bad_threshold(name, static_cast<double>(patience));
  choice.use({}, tensor_regex);
  std::vector<Finding> out;
  const KnownTensor* const input = choice.empty() ? detail::network_input(step) : nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    if (choice.empty() ? tensor != input : !choice.has(step, *tensor)) continue;
    const Statistics* const s = step.statistics(*tensor);
    constexpr std::uint64_t fewest = 2;  // one number never varies
    if (s == nullptr || s->finite() < fewest || detail::holds_names(step, *tensor, *s)) continue;
    const double rms = std::sqrt(s->sum_squares / static_cast<double>(s->finite()));
    const auto fault = detail::input_fault(*s, rms, min_rms, max_rms);
    if (tensor->id >= in_a_row.size()) in_a_row.resize(tensor->id + 1);
    in_a_row[tensor->id] = fault ? in_a_row[tensor->id] + 1 : 0;
    if (in_a_row[tensor->id] < patience) continue;
    out.push_back({.severity = Severity::advice,
                   .tensor = tensor->name,
                   .value = rms,
                   .threshold = rms > max_rms ? max_rms : min_rms,
                   .message = *fault});
  }
  return out;
}

TENSORTAP_INLINE void InputRange::visit(ParameterVisitor& visitor) {
  visitor("max_rms", max_rms, "a larger root mean square is a finding");
  visitor("min_rms", min_rms, "a smaller root mean square is a finding");
  visitor("patience", patience, "observations in a row");
  visitor("tensor_regex", tensor_regex, "names of tensors; empty: what enters the first layer");
}

TENSORTAP_END_NAMESPACE
