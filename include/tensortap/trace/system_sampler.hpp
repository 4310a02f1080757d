// Samples the machine that trains: processors, memory, waiting for disks, network, NVIDIA's GPUs. Writes the files that
// SageMaker's agent writes, which read_timeline and smdebug read.
//
//   tensortap::SystemSampler sampler("runs/42/profiler", {.interval = std::chrono::seconds(1)});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class MetricsWriter;
}

class Store;

/// The options of a sampler.
struct SystemSamplerOptions {
  /// The machine; smdebug reads "algo-N" alone.
  std::string node = "algo-1";
  /// The time between two samples, at least a millisecond.
  std::chrono::nanoseconds interval = std::chrono::milliseconds(500);
  /// NVIDIA's management library, which is loaded if it is there. Empty: GPUs are not sampled.
  std::string nvml = "libnvidia-ml.so.1";

  // For tests

  /// Where the kernel tells about the machine.
  std::string proc = "/proc";
  /// Returns the time. Units: microseconds since 1970.
  std::function<std::int64_t()> wall_time = {};
};

/// What a sampler has done.
struct SystemSamplerStatus {
  std::uint64_t samples = 0;       ///< taken
  std::uint64_t metrics = 0;       ///< written
  std::uint64_t files = 0;         ///< written
  std::uint64_t files_failed = 0;  ///< not written; their metrics are lost
  int gpus = 0;                    ///< that are sampled
  std::string last_cause = {};     ///< of the last file that was not written
};

/// A thread that samples, and writes a file for each minute. A crash loses the metrics of the last one. In a forked
/// child it does nothing. Threads: `status` any, the rest one.
class SystemSampler {
 public:
  /// Writes below `address`, a directory or "s3://BUCKET/PREFIX": "system/incremental/HOUR/…". Throws: misuse in the
  /// options; the store cannot be opened.
  explicit SystemSampler(std::string_view address, SystemSamplerOptions options = {});
  explicit SystemSampler(std::shared_ptr<Store> store, SystemSamplerOptions options = {});
  SystemSampler(const SystemSampler&) = delete;
  SystemSampler& operator=(const SystemSampler&) = delete;
  /// As `close`.
  ~SystemSampler();

  [[nodiscard]] SystemSamplerStatus status() const;

  /// Writes what was sampled, and ends. Takes as long as the store does.
  void close() noexcept;

 private:
  std::unique_ptr<detail::MetricsWriter> writer_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/system_sampler_impl.hpp>
#endif
