// The keys of a run's objects, and the names of stored reductions. A run is a set of objects with these keys, in a
// directory or below a prefix:
//
//   events/SSSSSSSSSSSS/SSSSSSSSSSSS_WORKER.tfevents   records of one global step of one worker
//   index/PPPPPPPPP/SSSSSSSSSSSS_WORKER.json           index of that step; P = step div 1000
//   index/packed/WORKER/RRRRRRRRR_FIRST-LAST.pack      ours: a segment, which holds such files of many steps
//   collections/000000000/WORKER_collections.json      collections of that worker
//   attempts/RRRRRRRRR_WORKER.json                     ours: the step after which attempt R of that worker continues
//   superseded/RRRRRRRRR/…                             ours: objects that attempt R has replaced, under their old keys
//   snapshots/SSSSSSSSSSSS_REASON_WORKER/…             ours: a small run, with what a flight recorder held at that step
//   claim.smd, claim_WORKER.smd                        held by the worker that writes
//   training_job_end.ts                                the run has ended
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace layout {

inline constexpr std::string_view events_prefix = "events/";
inline constexpr std::string_view index_prefix = "index/";
inline constexpr std::string_view segments_prefix = "index/packed/";  // so that one listing shows these and indexes
inline constexpr std::string_view collections_prefix = "collections/000000000/";
inline constexpr std::string_view collections_suffix = "_collections.json";
inline constexpr std::string_view attempts_prefix = "attempts/";
inline constexpr std::string_view superseded_prefix = "superseded/";
inline constexpr std::string_view snapshots_prefix = "snapshots/";
inline constexpr std::string_view tensorboard_prefix = "tensorboard/";
inline constexpr std::string_view end_marker = "training_job_end.ts";
inline constexpr std::string_view reductions_prefix = "smdebug/reductions/";

/// The largest JSON object of a run that is read, far above the index of any real one. Units: bytes.
inline constexpr std::uint64_t text_limit = std::uint64_t{64} << 20;

/// Returns `number` with at least `width` digits.
std::string padded(std::int64_t number, std::size_t width);

/// Returns a worker's name as part of a file name: '/' of device names becomes '_', ':' becomes '-' ("/job:worker" is
/// "_job-worker").
std::string worker_in_file_name(std::string_view worker);

/// Returns the worker's name for a part of a file name. Only parts that begin with '_' are read as device names.
std::string worker_from_file_name(std::string_view part);

std::string event_key(std::int64_t global_step, std::string_view worker);
std::string index_key(std::int64_t global_step, std::string_view worker);
std::string collections_key(std::string_view worker);
std::string attempt_key(std::int64_t attempt, std::string_view worker);

/// Returns the key under which attempt `attempt` keeps the object `key` that it has replaced.
std::string superseded_key(std::int64_t attempt, std::string_view key);

/// Returns the name of the snapshot at a step, below `snapshots_prefix`. Only letters of ASCII, digits and "._-" of
/// `reason` remain, at most 40 bytes.
std::string snapshot_name(std::int64_t global_step, std::string_view reason, std::string_view worker);

/// Returns the key of the claim of `worker`. With one worker it is the key that smdebug uses.
std::string claim_key(std::int64_t num_workers, std::string_view worker);

/// The parts of the key of an index or events file.
struct StepName {
  std::int64_t global_step = 0;
  std::string worker;
};

/// Returns the step and worker of `key`; nullopt if it is not "index/…/STEP_WORKER.json".
std::optional<StepName> parse_index_key(std::string_view key);

/// Returns the step and worker of `key`; nullopt if it is not "events/…/STEP_WORKER.tfevents".
std::optional<StepName> parse_event_key(std::string_view key);

/// What the key of a segment tells: the attempt of a worker that wrote it, and the first and last step in it.
struct SegmentName {
  std::string worker;  ///< as in file names
  std::int64_t attempt = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;

  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};

std::string segment_key(const SegmentName& name);

/// Returns what `key` tells; nullopt if it is not the key of a segment.
std::optional<SegmentName> parse_segment_key(std::string_view key);

/// Returns the worker of `key`; nullopt if it is not the key of a collections file.
std::optional<std::string> parse_collections_key(std::string_view key);

/// Returns the name under which reduction `r` of `tensor` is stored.
std::string reduction_record(Reduction r, std::string_view tensor);

/// The parts of the name of a stored reduction.
struct ReductionName {
  std::string_view reduction;  ///< as spelled; it may be unknown to this version
  std::string_view tensor;
};

/// Returns the parts of `record`; nullopt if it is the name of a tensor itself. As in smdebug, the prefix may be at any
/// position.
std::optional<ReductionName> parse_reduction_record(std::string_view record);

}  // namespace layout
TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/layout_impl.hpp>
#endif
