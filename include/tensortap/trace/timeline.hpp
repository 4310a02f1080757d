// Reads the traces of a training: its phases, and the metrics of its machine. Tracer and SystemSampler write them;
// smdebug and SageMaker's agent write the same files.
//
//   const tensortap::Timeline timeline = tensortap::read_timeline(*tensortap::open_store("trace"));
//   for (const auto& event : timeline.events) std::cout << event.phase << ' ' << event.duration << " us\n";
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// A part of a training. Units: microseconds, times since 1970.
struct TraceEvent {
  std::int64_t start = 0;
  std::int64_t duration = 0;
  std::string phase = {};                 ///< its row: "Step:ModeKeys.TRAIN", "Forward"
  std::string name = {};                  ///< such as the module
  std::string node = {};                  ///< the process: "algo-1-4242"
  std::int64_t thread = 0;                ///< of the process; smdebug's own events have 0
  std::optional<std::int64_t> step = {};  ///< the step of its mode, if the event has one
  std::string arguments = "{}";           ///< a JSON object: what else the event says
};

/// One value of a machine. Units: microseconds since 1970; percent, or as `dimension` says.
struct SystemMetric {
  std::int64_t time = 0;
  double value = 0;
  std::string type = {};       ///< "cpu", "gpu", "memory", "i/o", "network"
  std::string name = {};       ///< "cpu0", "gpu1"; empty for what a machine has once
  std::string dimension = {};  ///< "CPUUtilization"
  std::string node = {};       ///< "algo-1"
};

/// What was read.
struct Timeline {
  std::vector<TraceEvent> events = {};     ///< by start; equal ones as in the files
  std::vector<SystemMetric> metrics = {};  ///< by time
  std::uint64_t damaged_lines = 0;         ///< skipped
  std::uint64_t unfinished = 0;            ///< events that begin and do not end
  std::vector<Damage> damage = {};         ///< one for each file that has some
};

/// What a caller wants. Units: microseconds since 1970.
struct TimelineQuery {
  std::int64_t begin = std::numeric_limits<std::int64_t>::min();  ///< events that end before are left out
  std::int64_t end = std::numeric_limits<std::int64_t>::max();    ///< events that begin at or after it are left out
  std::string file_suffix = {};                                   ///< of trace files: "pythontimeline.json"
  std::string folder = {};                                        ///< of the store, which has the trace: "profiler/"
};

/// Reads the trace in `store`: "framework/pevents/…" and "system/incremental/…". An event of two marks, begin and end,
/// becomes one; events without a duration are left out, as smdebug's reader does. Lines that are damaged are counted
/// and skipped; a file whose writer was killed has an incomplete last line, which is no damage. Memory: all that is
/// asked for. Throws: the store failed.
Timeline read_timeline(const Store& store, const TimelineQuery& query = {});

/// Reads the trace beside a run: of the folders "profiler/" and "profiler-output/", in which jobs of SageMaker have
/// theirs, and of `run` itself the first one that has a trace. Empty: none has. Throws: the store failed.
Timeline read_run_timeline(const Store& run, TimelineQuery query = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/timeline_impl.hpp>
#endif
