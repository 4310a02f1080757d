// The elements of tensors in a few steps, counted in bins.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/tensor_history.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

struct HistogramLimits {
  static constexpr std::size_t tensors = 48;
  static constexpr std::size_t steps = 24;
  static constexpr std::size_t bins = 30;
  static constexpr std::size_t bytes_of_tensor = std::size_t{16} << 20;  // of all steps that are counted
  static constexpr std::size_t bytes = std::size_t{96} << 20;            // of all tensors
};

/// Returns at most `most` of `steps`, evenly spaced, with the first and the last.
inline std::vector<std::int64_t> some_of(const std::vector<std::int64_t>& steps, std::size_t most) {
  if (steps.size() <= most) return steps;
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < most; ++i) out.push_back(steps[i * (steps.size() - 1) / (most - 1)]);
  return out;
}

/// Returns the histogram of a tensor, and takes the memory that it needs from `budget`; nullopt if its elements were
/// not saved, are one or no numbers, or there is too little of the budget. `tensor` counts global steps.
inline std::optional<ReportHistogram> histogram_of(const TensorHistory& tensor, std::size_t& budget) {
  const std::vector<std::int64_t> steps = tensor.steps();
  if (steps.empty()) return std::nullopt;
  const auto first = tensor.value(steps.front());
  if (!first || first->size() < 2 || !is_real(first->dtype())) return std::nullopt;
  const std::size_t most =
      std::min(std::min(budget, HistogramLimits::bytes_of_tensor) / first->bytes().size(), HistogramLimits::steps);
  if (most < 2) return std::nullopt;

  ReportHistogram out{.tensor = tensor.name()};
  std::vector<Tensor> values;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const std::int64_t step : some_of(steps, most)) {
    auto value = tensor.value(step);
    if (!value || !is_real(value->dtype())) continue;
    with_numbers(*value, [&](auto numbers) {
      for (const double x : numbers) {
        if (!std::isfinite(x)) continue;
        low = std::min(low, x);
        high = std::max(high, x);
      }
    });
    budget -= std::min(budget, value->bytes().size());
    out.steps.push_back(step);
    values.push_back(std::move(*value));
  }
  const double range = high - low;
  if (!(range > 0) || !std::isfinite(range)) return std::nullopt;
  constexpr auto bins = static_cast<double>(HistogramLimits::bins);
  for (std::size_t i = 0; i <= HistogramLimits::bins; ++i)
    out.edges.push_back(i == HistogramLimits::bins ? high : low + range * (static_cast<double>(i) / bins));
  for (const Tensor& value : values) {
    std::vector<std::uint64_t>& counts = out.counts.emplace_back(HistogramLimits::bins);
    with_numbers(value, [&](auto numbers) {
      for (const double x : numbers)
        if (std::isfinite(x))
          ++counts[std::min(static_cast<std::size_t>((x - low) / range * bins), HistogramLimits::bins - 1)];
    });
  }
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
