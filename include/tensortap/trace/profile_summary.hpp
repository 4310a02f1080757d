// The tables of SageMaker's profiler: where the time of the steps went (OverallFrameworkMetrics), and how busy the
// machines were (OverallSystemUsage).
//
//   const auto summary = tensortap::summarize(tensortap::read_timeline(*tensortap::open_store("runs/42/profiler")));
//   for (const auto& phase : summary.phases) std::cout << phase.phase << ' ' << phase.total << " us\n";
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The events of one phase in one process. Quantiles are those of numpy. Units: microseconds.
struct PhaseTimes {
  std::string phase = {};
  std::string node = {};  ///< the process
  std::uint64_t count = 0;
  double total = 0;
  double mean = 0;
  double median = 0;
  double p95 = 0;
  double max = 0;
  std::optional<double> share = {};  ///< of the time of all steps of the process. Units: percent
};

/// The steps of one mode in one process. Units: microseconds.
struct StepTimes {
  /// One step.
  struct Slow {
    std::optional<std::int64_t> step = {};  ///< of its mode
    std::int64_t start = 0;                 ///< since 1970
    std::int64_t duration = 0;
  };

  PhaseTimes times = {};
  double outside = 0;              ///< of `times.total`: the time in no phase of the same thread
  double limit = 0;                ///< the mean and three standard deviations
  std::uint64_t outliers = 0;      ///< steps that last longer
  std::vector<Slow> slowest = {};  ///< the ten longest of them
};

/// The values of one metric of one part of a machine. Quantiles are those of numpy. Units: as the metric says.
struct MetricValues {
  std::string node = {};       ///< the machine
  std::string type = {};       ///< "cpu"
  std::string name = {};       ///< the part: "cpu0"; empty for what a machine has once
  std::string dimension = {};  ///< "CPUUtilization"
  std::uint64_t samples = 0;
  double mean = 0;
  double min = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double max = 0;
};

/// The tables of a timeline.
struct ProfileSummary {
  std::vector<PhaseTimes> phases = {};     ///< with steps; the longest total first
  std::vector<StepTimes> steps = {};       ///< by process and mode
  std::vector<MetricValues> metrics = {};  ///< by machine, type, dimension and part
};

/// Returns the tables of `timeline`.
ProfileSummary summarize(const Timeline& timeline);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/profile_summary_impl.hpp>
#endif
