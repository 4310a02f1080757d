// The bodies of identical_units.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/identical_units.hpp>
#include <tensortap/rules/builtin/internal/first_layers.hpp>
#include <tensortap/rules/builtin/internal/training_progress.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the largest difference of a row from the first one, or of a column if that is less, relative to the root
/// mean square; 0 if all elements are zero. Stops, and returns a number above `limit`, as soon as both are above it.
/// Numeric: NaN if an element is not finite, or there are not two units.
inline double difference_of_units(const Tensor& weight, double limit) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  if (weight.rank() < 2 || weight.size() == 0) return none;
  const auto rows = static_cast<std::size_t>(weight.shape()[0]);
  const std::size_t width = weight.size() / rows;
  return with_numbers(weight, [&](auto w) {
    double squares = 0;
    for (const auto x : w) squares += static_cast<double>(x) * static_cast<double>(x);
    if (!std::isfinite(squares)) return none;
    const double size = std::sqrt(squares / static_cast<double>(w.size()));
    if (size == 0) return std::max(rows, width) > 1 ? 0.0 : none;
    double by_row = rows > 1 ? 0 : none;
    double by_column = weight.rank() == 2 && width > 1 ? 0 : none;
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t i = 0; i < width; ++i) {
        const double x = w[row * width + i];
        if (by_row <= limit) by_row = std::max(by_row, std::abs(x - double{w[i]}) / size);
        if (by_column <= limit) by_column = std::max(by_column, std::abs(x - double{w[row * width]}) / size);
        if (!(by_row <= limit) && !(by_column <= limit)) return std::fmin(by_row, by_column);
      }
    return std::fmin(by_row, by_column);
  });
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> IdenticalUnits::required() const {
  return {{.name = "initial_weights", .include_regex = std::string(*builtin_pattern("weights")), .save = save}};
}

TENSORTAP_INLINE std::vector<Finding> IdenticalUnits::operator()(const JudgedStep& step) {
  constexpr std::int64_t lasting = 3;  // checks
  if (!(tolerance >= 0)) throw Error::bad_threshold(name, tolerance);
  std::vector<Finding> out;
  if (step.step().mode != Mode::train && step.step().mode != Mode::global) return out;
  for (const KnownTensor* weight : step.with_role(Role::weight)) {
    if (weight->id >= state.checks.size()) {
      state.checks.resize(weight->id + 1);
      state.first.resize(weight->id + 1);
    }
    std::int64_t& checks = state.checks[weight->id];
    if (checks < 0) continue;  // its units were different: they stay so
    const Tensor* const value = step.value(*weight);
    const auto constant = detail::constant_of(step, *weight);
    double difference = std::numeric_limits<double>::quiet_NaN();
    if (value != nullptr && value->dtype() != DType::string) {
      difference = detail::difference_of_units(*value, tolerance);
    } else if (value == nullptr && constant) {
      difference = 0;  // numbers that differ tell nothing: rows may be the same
    }
    if (std::isnan(difference)) continue;
    checks = difference <= tolerance ? checks + 1 : -1;
    if (checks == 1) state.first[weight->id] = constant.value_or(0);
    const bool has_moved = constant && *constant != state.first[weight->id];
    if (value == nullptr && !has_moved) continue;  // a norm that is not trained is constant, too
    if (checks < num_checks || step.step().mode_step < start_step) continue;
    const std::span<const LayerGradient> gradients = step.layer_gradients();
    const auto is_its = [&](const LayerGradient& one) { return one.weight == weight; };
    if (!gradients.empty() && std::none_of(gradients.begin(), gradients.end(), is_its)) continue;
    const bool is_lasting = has_moved && checks >= lasting;
    out.push_back({.severity = is_lasting ? Severity::error : detail::severity_in(step.facts()),
                   .tensor = weight->name,
                   .value = difference,
                   .threshold = tolerance,
                   .message = "its units are all the same, in " + std::to_string(checks) +
                              " checks; initialise the weights at random"});
  }
  return out;
}

TENSORTAP_INLINE void IdenticalUnits::visit(ParameterVisitor& visitor) {
  visitor("tolerance", tolerance, "the largest difference from the first row, relative to the root mean square");
  visitor("num_checks", num_checks, "the least number of steps in a row");
  visitor("start_step", start_step, "the first step of the mode in which it is a finding");
}

TENSORTAP_END_NAMESPACE
