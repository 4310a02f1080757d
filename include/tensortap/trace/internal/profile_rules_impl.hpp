// The bodies of profile_rules.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/error_texts.hpp>
#include <tensortap/trace/internal/machine_samples.hpp>
#include <tensortap/trace/internal/traced_steps.hpp>
#include <tensortap/trace/profile_rules.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `value` with at most one digit behind the point.
inline std::string tenths(double value) { return number_text(std::round(value * 10) / 10); }

/// Returns "algo-1 gpu0".
inline std::string part_of(std::string_view machine, std::string_view name) {
  return escaped(std::string(machine) + " " + std::string(name));
}

/// Returns the finding about a share of samples in which GPUs wait while `is_busy(sample)`.
template <class IsBusy>
std::vector<ProfileFinding> bottleneck(const Timeline& timeline, const char* rule, double threshold,
                                       double gpu_threshold, std::size_t patience, const IsBusy& is_busy,
                                       const std::string& advice) {
  std::vector<ProfileFinding> out;
  for (const auto& [machine, samples] : samples_in(timeline)) {
    if (samples.size() <= patience) continue;
    std::size_t waiting = 0;
    ProfileFinding found{.rule = rule, .subject = escaped(machine), .threshold = threshold};
    for (const MachineSample& sample : samples) {
      const bool is_idle = std::any_of(sample.gpus.begin(), sample.gpus.end(),
                                       [&](const auto& gpu) { return gpu.second < gpu_threshold; });
      if (!is_idle || !is_busy(sample)) continue;
      if (waiting++ == 0) found.first = sample.time;
      found.last = sample.time;
    }
    found.value = 100 * static_cast<double>(waiting) / static_cast<double>(samples.size());
    if (found.value <= threshold) continue;
    found.times = waiting;
    found.message = found.subject + ": in " + tenths(found.value) + " % of the samples a GPU is used by less than " +
                    tenths(gpu_threshold) + " % while " + advice;
    out.push_back(std::move(found));
  }
  return out;
}

/// Returns whether a value is above `threshold`.
inline bool has_above(const std::map<std::string_view, double>& values, double threshold) {
  return std::any_of(values.begin(), values.end(), [&](const auto& one) { return one.second > threshold; });
}

/// Returns the Jensen-Shannon distance of two distributions over 50 bins of 2 %.
inline double distance_of_loads(const Series& x, const Series& y) {
  constexpr std::size_t bins = 50;
  const auto distribution = [](const Series& series) {
    std::array<double, bins> out{};
    for (const auto& [time, value] : series)
      out[static_cast<std::size_t>(std::clamp(value / 2, 0.0, bins - 1.0))] += 1 / static_cast<double>(series.size());
    return out;
  };
  const auto p = distribution(x), q = distribution(y);
  double divergence = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    const double mean = (p[i] + q[i]) / 2;
    if (p[i] > 0) divergence += p[i] * std::log(p[i] / mean) / 2;
    if (q[i] > 0) divergence += q[i] * std::log(q[i] / mean) / 2;
  }
  return std::sqrt(std::max(divergence, 0.0));
}

}  // namespace detail

TENSORTAP_INLINE std::vector<ProfileFinding> BatchSize::operator()(const Timeline& timeline) const {
  std::vector<ProfileFinding> out;
  for (const auto& [machine, samples] : detail::samples_in(timeline)) {
    if (samples.size() <= std::max(patience, window)) continue;
    detail::Series processor;
    for (const detail::MachineSample& sample : samples) processor.emplace_back(sample.time, sample.mean_processor());
    const double cpu = detail::quantile_of(detail::last_values(processor, window), 0.95);
    const auto memories = detail::series_of(samples, &detail::MachineSample::gpu_memory);
    for (const auto& [name, gpu] : detail::series_of(samples, &detail::MachineSample::gpus)) {
      const auto memory = memories.find(name);
      if (memory == memories.end()) continue;
      const double used = detail::quantile_of(detail::last_values(gpu, window), 0.95);
      const double filled = detail::quantile_of(detail::last_values(memory->second, window), 0.95);
      if (cpu >= cpu_threshold_p95 || used >= gpu_threshold_p95 || filled >= gpu_memory_threshold_p95) continue;
      ProfileFinding found{.rule = "BatchSize",
                           .subject = detail::part_of(machine, name),
                           .first = samples[samples.size() - window].time,
                           .last = samples.back().time,
                           .value = used,
                           .threshold = gpu_threshold_p95};
      found.message = found.subject + ": 95 % of the time it is used by less than " + detail::tenths(used) +
                      " %, its memory by less than " + detail::tenths(filled) + " %, and processors by less than " +
                      detail::tenths(cpu) + " %; try larger batches, or a smaller machine";
      out.push_back(std::move(found));
    }
  }
  return out;
}

TENSORTAP_INLINE std::vector<ProfileFinding> CPUBottleneck::operator()(const Timeline& timeline) const {
  return detail::bottleneck(
      timeline, "CPUBottleneck", threshold, gpu_threshold, patience,
      [this](const detail::MachineSample& sample) { return detail::has_above(sample.processors, cpu_threshold); },
      "a processor is busy; prepare data with more threads, or on the GPU");
}

TENSORTAP_INLINE std::vector<ProfileFinding> IOBottleneck::operator()(const Timeline& timeline) const {
  return detail::bottleneck(
      timeline, "IOBottleneck", threshold, gpu_threshold, patience,
      [this](const detail::MachineSample& sample) { return detail::has_above(sample.waiting, io_threshold); },
      "a processor waits for disks; read ahead, or from a faster disk");
}

TENSORTAP_INLINE std::vector<ProfileFinding> GPUMemoryIncrease::operator()(const Timeline& timeline) const {
  std::vector<ProfileFinding> out;
  for (const auto& [machine, samples] : detail::samples_in(timeline))
    for (const auto& [name, memory] : detail::series_of(samples, &detail::MachineSample::gpu_memory)) {
      if (memory.size() <= patience || memory.size() < 2 * window) continue;
      const double grown = detail::mean_of(detail::last_values(memory, window)) -
                           detail::mean_of(detail::last_values(memory, window, window));
      if (!(grown > increase)) continue;
      ProfileFinding found{.rule = "GPUMemoryIncrease",
                           .subject = detail::part_of(machine, name),
                           .first = memory[memory.size() - window].first,
                           .last = memory.back().first,
                           .value = grown,
                           .threshold = increase};
      found.message = found.subject + ": its memory has filled by " + detail::tenths(grown) +
                      " percentage points; look for tensors that are kept from step to step";
      out.push_back(std::move(found));
    }
  return out;
}

TENSORTAP_INLINE std::vector<ProfileFinding> LoadBalancing::operator()(const Timeline& timeline) const {
  std::vector<ProfileFinding> out;
  for (const auto& [machine, samples] : detail::samples_in(timeline)) {
    if (samples.size() <= patience) continue;
    const auto gpus = detail::series_of(samples, &detail::MachineSample::gpus);
    for (auto one = gpus.begin(); one != gpus.end(); ++one)
      for (auto other = std::next(one); other != gpus.end(); ++other) {
        const double distance = detail::distance_of_loads(one->second, other->second);
        if (!(distance > threshold)) continue;
        ProfileFinding found{.rule = "LoadBalancing",
                             .subject = detail::part_of(machine, one->first) + ", " + escaped(other->first),
                             .first = samples.front().time,
                             .last = samples.back().time,
                             .value = distance,
                             .threshold = threshold};
        found.message = found.subject + ": they are used differently (distance " + detail::tenths(distance) +
                        "); give each GPU the same work";
        out.push_back(std::move(found));
      }
  }
  return out;
}

TENSORTAP_INLINE std::vector<ProfileFinding> LowGPUUtilization::operator()(const Timeline& timeline) const {
  std::vector<ProfileFinding> out;
  for (const auto& [machine, samples] : detail::samples_in(timeline))
    for (const auto& [name, gpu] : detail::series_of(samples, &detail::MachineSample::gpus)) {
      if (gpu.size() <= patience) continue;
      const std::vector<double> values = detail::last_values(gpu, window);
      const double high = detail::quantile_of(values, 0.95), low = detail::quantile_of(values, 0.05);
      const bool is_low = high < threshold_p95;
      if (!is_low && low >= threshold_p5) continue;
      ProfileFinding found{.rule = "LowGPUUtilization",
                           .subject = detail::part_of(machine, name),
                           .first = gpu[gpu.size() - values.size()].first,
                           .last = gpu.back().first,
                           .value = is_low ? high : low,
                           .threshold = is_low ? threshold_p95 : threshold_p5};
      found.message =
          found.subject + (is_low ? ": 95 % of the time it is used by less than " + detail::tenths(high) +
                                        " %; use larger batches, or a smaller machine"
                                  : ": its use changes between less than " + detail::tenths(low) + " % and " +
                                        detail::tenths(high) + " %; look for what it waits for between the steps");
      out.push_back(std::move(found));
    }
  return out;
}

TENSORTAP_INLINE std::vector<ProfileFinding> MaxInitializationTime::operator()(const Timeline& timeline) const {
  constexpr double minute = 6e7;  // microseconds
  std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = std::numeric_limits<std::int64_t>::min();
  std::optional<std::int64_t> step;
  const auto widen = [&](std::int64_t from, std::int64_t to) {
    begin = std::min(begin, from);
    end = std::max(end, to);
  };
  for (const TraceEvent& event : timeline.events) {
    widen(event.start, event.start + event.duration);
    if (!step && event.phase.starts_with("Step")) step = event.start;
  }
  for (const SystemMetric& metric : timeline.metrics) widen(metric.time, metric.time);
  if (begin > end) return {};
  const std::int64_t until = step.value_or(end);
  const double minutes = static_cast<double>(until - begin) / minute;
  if (!(minutes > threshold)) return {};
  return {{.rule = "MaxInitializationTime",
           .subject = "training",
           .first = begin,
           .last = until,
           .value = minutes,
           .threshold = threshold,
           .message = "training: " + std::string(step ? "the first step came after " : "no step has come within ") +
                      detail::tenths(minutes) + " minutes; look for what happens before it"}};
}

TENSORTAP_INLINE std::vector<ProfileFinding> StepOutlier::operator()(const Timeline& timeline) const {
  std::map<std::pair<std::string_view, std::string_view>, detail::TracedEvents> steps;
  for (const TraceEvent& event : timeline.events)
    if (detail::is_step(event)) steps[{event.node, event.phase}].push_back(&event);
  std::vector<ProfileFinding> out;
  for (const auto& [place, events] : steps) {
    constexpr std::size_t enough = 100;
    if (events.size() <= enough) continue;
    double sum = 0;
    for (const TraceEvent* const event : events) sum += static_cast<double>(event->duration);
    const double mean = sum / static_cast<double>(events.size());
    const double limit = detail::outlier_limit(events, mean, stddev);
    std::size_t count = 0;
    ProfileFinding found{.rule = "StepOutlier",
                         .subject = escaped(std::string(place.first) + " " + std::string(place.second)),
                         .threshold = limit};
    for (const TraceEvent* const event : events) {
      if (static_cast<double>(event->duration) <= limit) continue;
      if (count++ == 0) found.first = event->start;
      found.last = event->start;
      found.value = std::max(found.value, static_cast<double>(event->duration));
    }
    if (count <= n_outliers) continue;
    found.times = count;
    found.message = found.subject + ": " + std::to_string(count) + " of " + std::to_string(events.size()) +
                    " steps last longer than " + detail::tenths(limit / 1e3) + " ms, the mean is " +
                    detail::tenths(mean / 1e3) +
                    " ms; look for what happens in them: checkpoints, evaluations, waiting";
    out.push_back(std::move(found));
  }
  return out;
}

TENSORTAP_INLINE std::vector<ProfileRuleResult> profile_rule_results(const Timeline& timeline) {
  const auto number = [](std::size_t count) { return static_cast<double>(count); };
  const BatchSize batch;
  const CPUBottleneck processors;
  const IOBottleneck disks;
  const GPUMemoryIncrease memory;
  const LoadBalancing balance;
  const LowGPUUtilization use;
  const MaxInitializationTime start;
  const StepOutlier outlier;
  std::vector<ProfileRuleResult> out = {
      {.rule = "BatchSize",
       .condition = "the 95th percentiles of processors, of a GPU and of its memory are below their thresholds",
       .parameters = {{"cpu_threshold_p95", batch.cpu_threshold_p95},
                      {"gpu_threshold_p95", batch.gpu_threshold_p95},
                      {"gpu_memory_threshold_p95", batch.gpu_memory_threshold_p95},
                      {"patience", number(batch.patience)},
                      {"window", number(batch.window)}},
       .findings = batch(timeline)},
      {.rule = "CPUBottleneck",
       .condition = "in more than threshold percent of the samples a GPU is idle while a processor is busy",
       .parameters = {{"threshold", processors.threshold},
                      {"gpu_threshold", processors.gpu_threshold},
                      {"cpu_threshold", processors.cpu_threshold},
                      {"patience", number(processors.patience)}},
       .findings = processors(timeline)},
      {.rule = "IOBottleneck",
       .condition = "in more than threshold percent of the samples a GPU is idle while a processor waits for disks",
       .parameters = {{"threshold", disks.threshold},
                      {"gpu_threshold", disks.gpu_threshold},
                      {"io_threshold", disks.io_threshold},
                      {"patience", number(disks.patience)}},
       .findings = disks(timeline)},
      {.rule = "GPUMemoryIncrease",
       .condition = "the memory of a GPU fills by more than increase percentage points from window to window",
       .parameters = {{"increase", memory.increase},
                      {"patience", number(memory.patience)},
                      {"window", number(memory.window)}},
       .findings = memory(timeline)},
      {.rule = "LoadBalancing",
       .condition = "the uses of two GPUs of a machine are distributed differently by more than threshold",
       .parameters = {{"threshold", balance.threshold}, {"patience", number(balance.patience)}},
       .findings = balance(timeline)},
      {.rule = "LowGPUUtilization",
       .condition = "the 95th percentile of a GPU is below threshold_p95, or the 5th below threshold_p5",
       .parameters = {{"threshold_p95", use.threshold_p95},
                      {"threshold_p5", use.threshold_p5},
                      {"patience", number(use.patience)},
                      {"window", number(use.window)}},
       .findings = use(timeline)},
      {.rule = "MaxInitializationTime",
       .condition = "the first step comes later than threshold minutes after the first event or sample",
       .parameters = {{"threshold", start.threshold}},
       .findings = start(timeline)},
      {.rule = "StepOutlier",
       .condition = "more than n_outliers steps of a process last longer than the mean and stddev deviations",
       .parameters = {{"stddev", outlier.stddev}, {"n_outliers", number(outlier.n_outliers)}},
       .findings = outlier(timeline)}};
  for (ProfileRuleResult& result : out)
    for (const ProfileFinding& found : result.findings) result.times += found.times;
  return out;
}

TENSORTAP_INLINE std::vector<ProfileFinding> judge_profile(const Timeline& timeline) {
  std::vector<ProfileFinding> out;
  for (ProfileRuleResult& result : profile_rule_results(timeline))
    std::move(result.findings.begin(), result.findings.end(), std::back_inserter(out));
  return out;
}

TENSORTAP_END_NAMESPACE
