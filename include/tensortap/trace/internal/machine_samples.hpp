// The metrics of a timeline, sample by sample, for the rules of the profiler.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What one machine said at one time.
struct MachineSample {
  std::int64_t time = 0;
  std::map<std::string_view, double> processors = {}, waiting = {}, gpus = {}, gpu_memory = {};  // by name

  [[nodiscard]] double mean_processor() const {
    double sum = 0;
    for (const auto& [name, value] : processors) sum += value;
    return processors.empty() ? 0 : sum / static_cast<double>(processors.size());
  }
};

/// Returns the samples of each machine, by time. Lifetime: `timeline` outlives the result.
inline std::map<std::string_view, std::vector<MachineSample>> samples_in(const Timeline& timeline) {
  std::map<std::string_view, std::vector<MachineSample>> out;
  for (const SystemMetric& metric : timeline.metrics) {
    std::vector<MachineSample>& samples = out[metric.node];
    if (samples.empty() || samples.back().time != metric.time) samples.push_back({.time = metric.time});
    MachineSample& sample = samples.back();
    if (metric.dimension == "CPUUtilization") sample.processors[metric.name] = metric.value;
    if (metric.dimension == "I/OWaitPercentage") sample.waiting[metric.name] = metric.value;
    if (metric.dimension == "GPUUtilization") sample.gpus[metric.name] = metric.value;
    if (metric.dimension == "GPUMemoryUtilization") sample.gpu_memory[metric.name] = metric.value;
  }
  return out;
}

/// The values of one metric of one part, by time.
using Series = std::vector<std::pair<std::int64_t, double>>;

/// Returns the series of each part.
inline std::map<std::string_view, Series> series_of(std::span<const MachineSample> samples,
                                                    std::map<std::string_view, double> MachineSample::*metric) {
  std::map<std::string_view, Series> out;
  for (const MachineSample& sample : samples)
    for (const auto& [name, value] : sample.*metric) out[name].emplace_back(sample.time, value);
  return out;
}

/// Returns the last `size` values, or those before the last `skipped`.
inline std::vector<double> last_values(const Series& series, std::size_t size, std::size_t skipped = 0) {
  const std::size_t end = series.size() - std::min(skipped, series.size());
  std::vector<double> out;
  for (std::size_t i = end - std::min(size, end); i < end; ++i) out.push_back(series[i].second);
  return out;
}

inline double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Returns the quantile of `values`, which ascend, interpolated as numpy does by default; 0 if there are none.
inline double quantile_of_sorted(const std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const double at = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - std::floor(at)) * (values[above] - values[below]);
}

/// The same of values in any order.
inline double quantile_of(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(values, q);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
