// Writes the phases of a training as trace files that smdebug, chrome://tracing and Perfetto read. A thread of its own
// writes; training pays for a phase two readings of the clock and a place in a queue.
//
//   auto tracer = std::make_shared<tensortap::Tracer>("runs/42/profiler");
//   tensortap::Hook hook("runs/42", {.phases = tracer});
//   hook.begin_step();                                                // steps are traced
//   { const auto phase = hook.phase("Forward"); hook.save("x", 1.0); }  // and this phase
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class TraceWriter;
}

class Store;

/// The options of a tracer.
struct TracerOptions {
  /// The process, as smdebug writes it: "RANK-algo-N" or "PID-HOST". Empty: the latter.
  std::string node = {};
  /// The size at which a file ends. Units: bytes.
  std::uint64_t max_file_bytes = 10'485'760;
  /// The time after which a file ends that holds something. A file also ends with its hour. A crash loses the file that
  /// has not ended.
  std::chrono::nanoseconds close_interval = std::chrono::seconds(60);
  /// The number of phases that wait for the writer; more are dropped and counted.
  std::size_t queue_phases = std::size_t{1} << 16;
  /// A profilerconfig.json of SageMaker, which is read again each second: it switches tracing on and off, and its sizes
  /// and times replace those above. Empty: none. A file that is missing or damaged changes nothing.
  std::string configuration = {};

  /// For tests. Returns the time. Units: microseconds since 1970.
  std::function<std::int64_t()> wall_time = {};
};

/// What a tracer has done.
struct TracerStatus {
  std::uint64_t phases = 0;        ///< written
  std::uint64_t dropped = 0;       ///< because the queue was full, there were too many names, or a file was not written
  std::uint64_t files = 0;         ///< written
  std::uint64_t files_failed = 0;  ///< not written
  std::string last_cause = {};     ///< of the last file that was not written, or of a configuration that was not read
};

/// The writer of a process's traces. In a forked child it writes nothing.
/// Threads: `add` and `status` from any thread; the rest from one.
class Tracer : public PhaseSink {
 public:
  /// Writes below `address`, a directory or "s3://BUCKET/PREFIX": "framework/pevents/HOUR/…". Throws: misuse in the
  /// options; the store cannot be opened.
  explicit Tracer(std::string_view address, TracerOptions options = {});
  explicit Tracer(std::shared_ptr<Store> store, TracerOptions options = {});

  /// Returns the tracer that a training job of SageMaker asks for: the profilerconfig.json at SMPROFILER_CONFIG_PATH,
  /// or where SageMaker puts it. Returns null if there is none. Throws: the file is damaged; as the constructor.
  static std::shared_ptr<Tracer> from_environment(TracerOptions options = {});

  /// As `close`, but never throws.
  ~Tracer() override;

  /// Takes `phase`; the whole step is called "Step:ModeKeys.MODE". Names beyond 1000 different ones are dropped.
  void add(const Phase& phase) noexcept override;

  /// Times a part of a program that has no hook.
  PhaseScope phase(std::string_view name, Mode mode = Mode::train, std::int64_t step = -1) noexcept {
    return {this, name, mode, step};
  }

  [[nodiscard]] TracerStatus status() const;

  /// Writes what waits, and ends the file. Later phases are dropped. Takes as long as the store does.
  void close();

 private:
  std::unique_ptr<detail::TraceWriter> writer_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/tracer_impl.hpp>
#endif
