// The rules of SageMaker's profiler: what keeps a machine from training faster. Each rule is an aggregate of thresholds
// that judges a timeline.
//
//   const auto timeline = tensortap::read_timeline(*tensortap::open_store("runs/42/profiler"));
//   for (const auto& finding : tensortap::judge_profile(timeline)) std::cerr << finding.message << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a rule has found. Units: microseconds since 1970; percent, or as the rule says.
struct ProfileFinding {
  std::string rule = {};
  std::string subject = {};  ///< a machine or a process, and its part: "algo-1 gpu0"
  std::int64_t first = 0;    ///< the first sample or event that it is about
  std::int64_t last = 0;     ///< the last one
  double value = 0;          ///< what was measured
  double threshold = 0;      ///< and what it was compared with
  std::uint64_t times = 1;   ///< the samples or steps in which it was so; 1 for what is judged as a whole
  std::string message = {};  ///< one sentence: what was found, and what to try
};

// A sample is what a machine says at one time. A window is its last samples; a rule that has a `patience` judges
// nothing before so many samples. The windows are those at the end of the timeline.

/// The machine has room for larger batches: in the window, the 95th percentiles of its mean processor, of a GPU and of
/// that GPU's memory are all below their thresholds.
struct BatchSize {
  double cpu_threshold_p95 = 70;
  double gpu_threshold_p95 = 70;
  double gpu_memory_threshold_p95 = 70;
  std::size_t patience = 1000;
  std::size_t window = 500;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// GPUs wait for processors: in more than `threshold` percent of the samples some GPU is below `gpu_threshold` while
/// some processor is above `cpu_threshold`.
struct CPUBottleneck {
  double threshold = 50;
  double gpu_threshold = 10;
  double cpu_threshold = 90;
  std::size_t patience = 1000;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// GPUs wait for disks: as CPUBottleneck, with processors that wait for more than `io_threshold` percent of their time.
struct IOBottleneck {
  double threshold = 50;
  double gpu_threshold = 10;
  double io_threshold = 50;
  std::size_t patience = 1000;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// The used memory of a GPU grows: its mean in the window is more than `increase` percentage points above that of the
/// window before. smdebug compares with a window that overlaps the last one, and so sees a part of the growth.
struct GPUMemoryIncrease {
  double increase = 5;
  std::size_t patience = 1000;
  std::size_t window = 10;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// GPUs of a machine work unequally: the Jensen-Shannon distance (natural logarithm) of the distributions of their
/// utilization, in bins of 2 %, is above `threshold`. smdebug leaves out samples above 98 %.
struct LoadBalancing {
  double threshold = 0.5;
  std::size_t patience = 1000;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// A GPU is used little, or now and then: in the window, its 95th percentile is below `threshold_p95`; or it is not,
/// and the 5th percentile is below `threshold_p5`.
struct LowGPUUtilization {
  double threshold_p95 = 70;
  double threshold_p5 = 10;
  std::size_t patience = 1000;
  std::size_t window = 500;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// The first step came late, or has not come yet. Units: minutes after the first event or sample.
struct MaxInitializationTime {
  double threshold = 20;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// Some steps are much longer than others: of more than 100 steps of one mode in one process, more than `n_outliers`
/// last longer than their mean and `stddev` standard deviations.
struct StepOutlier {
  double stddev = 3;
  std::size_t n_outliers = 10;

  std::vector<ProfileFinding> operator()(const Timeline& timeline) const;
};

/// What a rule has judged by.
struct ProfileRuleResult {
  std::string rule = {};
  std::string condition = {};                                   ///< when it fires
  std::vector<std::pair<std::string, double>> parameters = {};  ///< as SageMaker names them
  std::vector<ProfileFinding> findings = {};
  std::uint64_t times = 0;  ///< those of all its findings together
};

/// Returns what all rules find with their defaults, rule by rule; also those that find nothing.
std::vector<ProfileRuleResult> profile_rule_results(const Timeline& timeline);

/// Returns the findings alone.
std::vector<ProfileFinding> judge_profile(const Timeline& timeline);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/profile_rules_impl.hpp>
#endif
