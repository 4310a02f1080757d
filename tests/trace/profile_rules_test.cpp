#include <tensortap/trace/profile_rules.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace tensortap;

// trace_test.py compares the rules with a reading of their conditions by numpy.

namespace {

/// Samples of a GPU and a processor, twice a second.
Timeline samples(std::size_t count, double gpu, double processor) {
  Timeline out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto time = static_cast<std::int64_t>(i) * 500'000;
    out.metrics.push_back({time, gpu, "gpu", "gpu0\n", "GPUUtilization", "algo-1"});
    out.metrics.push_back({time, processor, "cpu", "cpu0", "CPUUtilization", "algo-1"});
  }
  return out;
}

}  // namespace

TEST_CASE("a profile of nothing has no findings", "[trace]") {
  CHECK(judge_profile({}).empty());
  CHECK(judge_profile(samples(1'000, 0, 100)).empty());  // patience
}

TEST_CASE("a finding names its place, its time and its values", "[trace]") {
  const std::vector<ProfileFinding> findings = judge_profile(samples(1'001, 5, 95));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].rule == "CPUBottleneck");
  CHECK(findings[0].subject == "algo-1");
  CHECK(findings[0].first == 0);
  CHECK(findings[0].last == 500'000'000);
  CHECK(findings[0].value == 100);
  CHECK(findings[0].threshold == 50);
  CHECK(findings[1].rule == "LowGPUUtilization");
  CHECK(findings[1].subject == "algo-1 gpu0\\n");
  CHECK(findings[1].first == 250'500'000);
  CHECK_THAT(findings[1].message, contains("used by less than 5 %"));
}

TEST_CASE("thresholds are the caller's", "[trace]") {
  CHECK(CPUBottleneck{.patience = 9}(samples(10, 5, 95)).size() == 1);
  CHECK(CPUBottleneck{.gpu_threshold = 5, .patience = 9}(samples(10, 5, 95)).empty());
  CHECK(LowGPUUtilization{.threshold_p95 = 5, .threshold_p5 = 5, .patience = 9}(samples(10, 5, 95)).empty());
  Timeline late;
  late.events.push_back({.start = 0, .duration = 10, .phase = "Forward"});
  late.events.push_back({.start = 90'000'000, .duration = 10, .phase = "Step:ModeKeys.TRAIN"});
  CHECK(MaxInitializationTime{.threshold = 1}(late).size() == 1);
  CHECK(MaxInitializationTime{.threshold = 1.5}(late).empty());
}
